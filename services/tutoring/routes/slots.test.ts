import { HOUR, MINUTE } from '../../../kernel/time';
import { serviceTokens } from '../../../platform/auth';
import { createServiceClient, type ServiceClient } from '../../../platform/http-client';
import { uuidv7 } from '../../../platform/ids';
import { type Reply, startTestService, type TestService } from '../../../tests/support/service';
import { ALWAYS, listedTutor, nowhere, on, paths, type TestTutor, utcHours } from '../../../tests/support/tutors';
import { createTutoringClient, type TutoringClient } from '../client';
import { tutoringService } from '.';
import { slotCursor } from './people';

let service: TestService;
let http: ServiceClient;
let client: TutoringClient;
beforeAll(async () => {
  service = await startTestService(tutoringService);
  http = createServiceClient(service.url, serviceTokens(service.config.SERVICE_TOKEN_SECRET));
  client = createTutoringClient(http);
});
afterAll(async () => {
  await http.close();
  await service.close();
});

function slotsOf(tutor: TestTutor, query: Record<string, string | number> = {}): Promise<Reply> {
  const parameters = new URLSearchParams({ from: on(0), to: on(24 * 60) });
  for (const [name, value] of Object.entries(query)) parameters.set(name, String(value));
  return service.ask('GET', `/api/tutors/${tutor.id}/slots?${parameters}`);
}
const starts = ({ body }: Reply): string[] => body.items.map(({ start }: { start: string }) => start.slice(11, 16));

describe('slots', () => {
  const hold = (tutor: TestTutor, minute: number, expiresAt = new Date(Date.now() + HOUR).toISOString()) => {
    const bookingId = uuidv7();
    const body = { tutorId: tutor.id, start: on(minute), durationMinutes: 30, expiresAt };
    return client.holdSlot(bookingId, body, `booking:${bookingId}/hold-slot`);
  };

  test('start every quarter hour within the hours, with their ends', async () => {
    const tutor = await listedTutor(service, utcHours);
    const reply = await slotsOf(tutor, { durationMinutes: 120 });
    expect(reply.body).toEqual({
      items: [0, 15, 30, 45, 60].map((minute) => ({ start: on(540 + minute), end: on(660 + minute) })),
      nextCursor: null,
    });
    expect(starts(await slotsOf(tutor))).toHaveLength(9);
  });

  test('leave out what is booked or held, but not what was held too long ago', async () => {
    const tutor = await listedTutor(service, utcHours);
    const booked = await hold(tutor, 9 * 60);
    await client.blockSlot(booked.bookingId, `booking:${booked.bookingId}/block-slot`);
    await hold(tutor, 10 * 60);
    await hold(tutor, 11 * 60, new Date(Date.now() - HOUR).toISOString());
    expect(starts(await slotsOf(tutor))).toEqual(['10:30', '10:45', '11:00']);
    await client.releaseSlot(booked.bookingId, `booking:${booked.bookingId}/hold-slot/undo`);
    expect(starts(await slotsOf(tutor))).toEqual(['09:00', '10:30', '10:45', '11:00']);
  });

  test('are pages of one list', async () => {
    const tutor = await listedTutor(service, utcHours);
    const whole = starts(await slotsOf(tutor, { durationMinutes: 30 }));
    const paged: string[] = [];
    let cursor: string | null = '';
    do {
      const page: Reply = await slotsOf(tutor, { durationMinutes: 30, limit: 4, ...(cursor && { cursor }) });
      paged.push(...starts(page));
      cursor = page.body.nextCursor;
    } while (cursor !== null);
    expect(paged).toEqual(whole);
    expect(whole).toHaveLength(11);
  });

  test('are of the coming week if not said otherwise, and never in the past or far ahead', async () => {
    const tutor = await listedTutor(service, { hourly: 4500, weekly: ALWAYS });
    const { body } = await service.ask('GET', `/api/tutors/${tutor.id}/slots`);
    expect(body.items).toHaveLength(100);
    expect(Date.parse(body.items[0].start)).toBeGreaterThanOrEqual(Date.now() - MINUTE);
    expect(Date.parse(body.items[0].start)).toBeLessThan(Date.now() + 16 * MINUTE);
    const past = { from: '2020-01-01T00:00:00Z', to: '2020-01-02T00:00:00Z' };
    const far = { from: '2999-01-01T00:00:00Z', to: '2999-01-02T00:00:00Z' };
    expect((await slotsOf(tutor, past)).body).toEqual({ items: [], nextCursor: null });
    expect((await slotsOf(tutor, far)).body).toEqual({ items: [], nextCursor: null });
  });

  test('follow the zone of the tutor and its daylight saving', async () => {
    const hours = {
      hourly: 4500,
      profile: { timeZone: 'America/New_York' },
      weekly: ALWAYS.map((day) => ({ ...day, from: '09:00', to: '10:00' })),
    };
    const tutor = await listedTutor(service, hours);
    const inNewYork = new Intl.DateTimeFormat('sv-SE', { timeZone: 'America/New_York', timeStyle: 'short' });
    for (const days of [0, 60, 120, 180, 240, 300]) {
      const query = { from: on(days * 1_440), to: on((days + 1) * 1_440) };
      const [slot] = (await slotsOf(tutor, query)).body.items;
      expect(inNewYork.format(new Date(slot.start))).toBe('09:00');
    }
  });

  test.each([
    ['a window of more than 31 days', { from: '2030-01-01T00:00:00Z', to: '2030-02-02T00:00:00Z' }, 'query.to'],
    ['a reversed window', { from: '2030-01-02T00:00:00Z', to: '2030-01-01T00:00:00Z' }, 'query.to'],
    ['a time without offset', { from: '2030-01-02T00:00:00' }, 'query.from'],
    ['a length off the steps of 15', { durationMinutes: 50 }, 'query.durationMinutes'],
    ['a length above 240', { durationMinutes: 255 }, 'query.durationMinutes'],
    ['a cursor of another list', { cursor: 'abc' }, 'query.cursor'],
  ])('%s is not valid', async (_, query, path) => {
    const reply = await slotsOf({ id: nowhere, token: '' }, query);
    expect(reply.status).toBe(422);
    expect(paths(reply)).toEqual([path]);
  });

  test('an offset whose + the client did not encode is understood', async () => {
    const tutor = await listedTutor(service, utcHours);
    const from = on(10 * 60).replace('Z', '+00:00');
    const path = `/api/tutors/${tutor.id}/slots?durationMinutes=120&from=${from}&to=${on(24 * 60)}`;
    expect(starts(await service.ask('GET', path))).toEqual(['10:00']);
  });

  test('a cursor from nowhere shows nothing instead of failing', async () => {
    const tutor = await listedTutor(service, utcHours);
    const cursor = Buffer.from(JSON.stringify([Number.MAX_SAFE_INTEGER])).toString('base64url');
    expect((await slotsOf(tutor, { cursor })).body).toEqual({ items: [], nextCursor: null });
  });
});

describe('cursors', () => {
  const id = '0198c0de-0000-7000-8000-000000000001';

  test('lead back to the place they were made at', () => {
    const start = Date.parse('2027-05-05T10:00Z');
    expect(slotCursor.read(slotCursor.write([start]))).toEqual([start]);
  });

  const made = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  test.each([
    ['of another sort', made(['price_asc', id, 4500])],
    ['with too few values', made(['rating', id, 450])],
    ['with too many values', made(['rating', id, 450, 1, 1])],
    ['with a fraction', made(['rating', id, 450.5, 1])],
    ['with a negative value', made(['rating', id, -1, 1])],
    ['with a value beyond integers', made(['rating', id, 450, 1e300])],
    ['with a text for a value', made(['rating', id, '450', 1])],
    ['with no id', made(['rating', 'x', 450, 1])],
    ['with a number for an id', made(['rating', 5, 450, 1])],
    ['that is no list', made({ sort: 'rating' })],
    ['that is not JSON', 'abc'],
    ['that is not base64', '%%%'],
  ])('one %s is refused', async (_, cursor) => {
    expect(await slotsOf({ id: nowhere, token: '' }, { cursor })).toMatchObject({
      status: 422,
      body: { code: 'validation_failed', errors: [{ path: 'query.cursor', message: 'is not a cursor of this list' }] },
    });
  });
});

import { DAY, HOUR } from '../../../kernel/time';
import { serviceTokens } from '../../../platform/auth';
import { createServiceClient, type ServiceClient } from '../../../platform/http-client';
import { uuidv7 } from '../../../platform/ids';
import { type Reply, startTestService, type TestService } from '../../../tests/support/service';
import { asTutor, listedTutor, nowhere, on, paths, type TutorFacts, utcHours } from '../../../tests/support/tutors';
import { createTutoringClient, type TutoringClient } from '../client';
import { tutoringService } from '.';

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

const as = asTutor(() => service);

describe('a quote', () => {
  const session = { subject: 'mathematics', scheduledAt: on(9 * 60), durationMinutes: 50 + 40 };

  test('is what the saga needs: name, zone, price and times', async () => {
    const tutor = await listedTutor(service, { ...utcHours, hourly: 4501, displayName: 'Quinn' });
    expect(await client.quoteSession(tutor.id, session)).toEqual({
      tutorId: tutor.id,
      displayName: 'Quinn',
      timeZone: 'UTC',
      instantBooking: true,
      subject: 'Mathematics',
      price: { amount: 6752, currency: 'EUR' },
      startsAt: on(9 * 60),
      endsAt: on(9 * 60 + 90),
    });
  });

  test('takes the hourly option that was chosen', async () => {
    const tutor = await listedTutor(service, utcHours);
    const options = [4000, 6000].map((amount) => ({ kind: 'hourly', price: { amount, currency: 'EUR' } }));
    const { body } = await as(tutor, 'PUT', '/api/tutors/pricing', { options });
    const chosen = { ...session, durationMinutes: 60, pricingOptionId: body.options[1].id };
    expect((await client.quoteSession(tutor.id, chosen)).price.amount).toBe(6000);
  });

  async function quote(facts: TutorFacts, patch: Record<string, unknown> = {}): Promise<Reply> {
    const tutor = await listedTutor(service, facts);
    return service.internal('POST', `/internal/tutors/${tutor.id}/quote`, { body: { ...session, ...patch } });
  }

  test.each<[string, TutorFacts, Record<string, unknown>, string, string[]]>([
    ['a tutor who is not listed', { ...utcHours, hourly: undefined }, {}, 'not_found', []],
    ['another subject', utcHours, { subject: 'Cooking' }, 'validation_failed', ['subject']],
    ['an option there is not', utcHours, { pricingOptionId: nowhere }, 'validation_failed', ['pricingOptionId']],
    [
      'a price beyond what can be charged',
      { ...utcHours, hourly: 90_000_000 },
      { durationMinutes: 90 },
      'validation_failed',
      ['durationMinutes'],
    ],
    ['a start off the quarter hour', utcHours, { scheduledAt: on(9 * 60 + 5) }, 'validation_failed', ['scheduledAt']],
    ['a start outside the hours', utcHours, { scheduledAt: on(8 * 60 + 45) }, 'slot_unavailable', []],
    ['an end outside the hours', utcHours, { scheduledAt: on(11 * 60) }, 'slot_unavailable', []],
    ['the past', utcHours, { scheduledAt: '2020-01-06T09:00:00Z' }, 'slot_unavailable', []],
    ['more than 365 days ahead', utcHours, { scheduledAt: on(9 * 60 + 371 * 1_440) }, 'slot_unavailable', []],
  ])('for %s is refused', async (_, facts, patch, code, wrong) => {
    const reply = await quote(facts, patch);
    expect(reply.body.code).toBe(code);
    expect(reply.body.errors ? paths(reply) : []).toEqual(wrong);
  });

  test('for nobody is refused', async () => {
    await expect(client.quoteSession(nowhere, session)).rejects.toMatchObject({ code: 'not_found' });
  });
});

test('the typed client speaks every internal operation', async () => {
  const id = uuidv7();
  const user = `user:${id}`;
  const person = { userId: id, displayName: 'Cleo', timeZone: 'UTC' };
  expect(await client.createTutor(person, `${user}/tutor-profile`)).toEqual({ id });
  expect(await client.removeTutor(id, `${user}/tutor-profile/undo`)).toBeUndefined();

  const tutor = await listedTutor(service, utcHours);
  const bookingId = uuidv7();
  const saga = `booking:${bookingId}`;
  const expiresAt = new Date(Date.now() + HOUR).toISOString();
  const body = { tutorId: tutor.id, start: on(9 * 60), durationMinutes: 60, expiresAt };
  expect(await client.holdSlot(bookingId, body, `${saga}/hold-slot`)).toMatchObject({ state: 'held', expiresAt });
  const later = new Date(Date.now() + DAY).toISOString();
  const extended = await client.extendHold(bookingId, { expiresAt: later }, `${saga}/extend-1`);
  expect(extended.expiresAt).toBe(later);
  expect((await client.blockSlot(bookingId, `${saga}/block-slot`)).state).toBe('booked');
  const moved = await client.moveSlot(bookingId, { start: on(10 * 60) }, `${saga}/move-1`);
  expect(moved).toMatchObject({ state: 'booked', start: on(10 * 60), end: on(11 * 60) });
  const start = on(11 * 60);
  expect(await client.reserveSlot(bookingId, { start }, `${saga}/reserve-1`)).toMatchObject({ state: 'booked', start });
  expect(await client.unreserveSlot(bookingId, `${saga}/reserve-1/undo`)).toBeUndefined();
  await client.reserveSlot(bookingId, { start }, `${saga}/reserve-2`);
  expect(await client.keepSlot(bookingId, { start }, `${saga}/keep-2`)).toBeUndefined();
  expect(await client.releaseSlot(bookingId, `${saga}/hold-slot/undo`)).toBeUndefined();
  await expect(client.blockSlot(bookingId, `${saga}/block-slot-2`)).rejects.toMatchObject({ code: 'slot_unavailable' });
});

test('internal writes need a key', async () => {
  for (const path of [`/internal/slots/${nowhere}/block`, `/internal/tutors/${nowhere}/remove`])
    expect((await service.internal('POST', path)).body.code).toBe('idempotency_key_required');
});

test('a profile that is made again after its person changed name or zone is the one that was made; another person is refused', async () => {
  const userId = uuidv7();
  const make = (who: string, displayName: string, timeZone = 'UTC') =>
    client.createTutor({ userId: who, displayName, timeZone }, `user:${userId}/tutor`);
  const first = await make(userId, 'Ada Byron');
  expect(await make(userId, 'Ada Lovelace', 'Europe/Berlin')).toEqual(first);
  await expect(make(uuidv7(), 'Ada Byron')).rejects.toMatchObject({ code: 'idempotency_key_reused' });
});

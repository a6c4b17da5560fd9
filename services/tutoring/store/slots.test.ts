import { uuidv7 } from '../../../platform/ids';
import { startTestService, type TestService } from '../../../tests/support/service';
import { anHourAgo, codes, inAnHour, slotSteps, start } from '../../../tests/support/slots';
import { listedTutor } from '../../../tests/support/tutors';
import { tutoringService } from '../routes';

let service: TestService;
beforeAll(async () => {
  service = await startTestService(tutoringService);
});
afterAll(() => service.close());

const { hold, step, release, slotsOf, eventsOf } = slotSteps(() => service);

describe('blocking a slot', () => {
  test('makes it booked for good', async () => {
    const tutor = await listedTutor(service);
    const bookingId = uuidv7();
    await hold(tutor, { bookingId });
    const reply = await step(bookingId, 'block');
    expect(reply.body).toMatchObject({ state: 'booked', expiresAt: null, start: start(0) });
    expect((await step(bookingId, 'block', undefined, 2)).body).toEqual(reply.body);
    expect((await eventsOf(tutor)).filter((type) => type === 'SlotBooked')).toHaveLength(1);
    expect(codes([await hold(tutor)])).toEqual(['slot_unavailable']);
  });

  test('accepts a hold that expired and that nobody took', async () => {
    const tutor = await listedTutor(service);
    const bookingId = uuidv7();
    await hold(tutor, { bookingId, expiresAt: anHourAgo() });
    expect((await step(bookingId, 'block')).body.state).toBe('booked');
  });

  test('is refused when somebody took the expired hold, and when there never was one', async () => {
    const tutor = await listedTutor(service);
    const bookingId = uuidv7();
    await hold(tutor, { bookingId, expiresAt: anHourAgo() });
    await hold(tutor, { at: start(2) });
    expect(codes([await step(bookingId, 'block'), await step(uuidv7(), 'block')])).toEqual([
      'slot_unavailable',
      'slot_unavailable',
    ]);
  });

  test('an expired hold goes either to its own block or to a new hold that races it, never to both', async () => {
    const tutor = await listedTutor(service);
    for (let round = 0; round < 12; round++) {
      const bookingId = uuidv7();
      const at = start(100 + round * 8);
      await hold(tutor, { bookingId, at, expiresAt: anHourAgo() });
      // Whoever is sent first is likelier to win: take turns, so that both outcomes are seen.
      const race = [() => step(bookingId, 'block'), () => hold(tutor, { at })];
      const replies = await Promise.all((round % 2 ? race : race.toReversed()).map((send) => send()));
      expect(codes(replies)).toEqual([200, 'slot_unavailable']);
      expect(await slotsOf(tutor)).toHaveLength(round + 1);
    }
  });
});

describe('extending a hold', () => {
  test('lets it expire later, also one that has expired', async () => {
    const tutor = await listedTutor(service);
    const bookingId = uuidv7();
    await hold(tutor, { bookingId, expiresAt: anHourAgo() });
    const expiresAt = inAnHour();
    expect((await step(bookingId, 'extend', { expiresAt })).body).toMatchObject({ state: 'held', expiresAt });
    expect(codes([await hold(tutor)])).toEqual(['slot_unavailable']);
    expect((await eventsOf(tutor)).at(-1)).toBe('SlotHoldExtended');
  });

  test('leaves a booked slot booked, and is refused when there is no slot', async () => {
    const tutor = await listedTutor(service);
    const bookingId = uuidv7();
    await hold(tutor, { bookingId });
    await step(bookingId, 'block');
    expect((await step(bookingId, 'extend', { expiresAt: inAnHour() })).body).toMatchObject({
      state: 'booked',
      expiresAt: null,
    });
    expect(codes([await step(uuidv7(), 'extend', { expiresAt: inAnHour() })])).toEqual(['slot_unavailable']);
  });
});

describe('releasing a slot', () => {
  test.each(['held', 'booked'])('frees a %s one, once and again', async (state) => {
    const tutor = await listedTutor(service);
    const bookingId = uuidv7();
    await hold(tutor, { bookingId });
    if (state === 'booked') await step(bookingId, 'block');
    expect(codes(await Promise.all([release(bookingId), release(bookingId)]))).toEqual([204, 204]);
    expect(await slotsOf(tutor)).toEqual([]);
    expect((await eventsOf(tutor)).filter((type) => type === 'SlotReleased')).toHaveLength(1);
    expect((await hold(tutor)).status).toBe(200);
  });

  test('is harmless when nothing was held, and refuses the hold that arrives after it', async () => {
    const tutor = await listedTutor(service);
    const bookingId = uuidv7();
    expect((await release(bookingId)).status).toBe(204);
    const late = await hold(tutor, { bookingId });
    expect([late.status, late.body.code]).toEqual([409, 'undone']);
    expect(await slotsOf(tutor)).toEqual([]);
  });

  test('racing its hold leaves nothing held', async () => {
    const tutor = await listedTutor(service);
    for (let round = 0; round < 10; round++) {
      const bookingId = uuidv7();
      const [held, released] = await Promise.all([hold(tutor, { bookingId }), release(bookingId)]);
      expect(released?.status).toBe(204);
      expect([200, 'undone']).toContain(held.status === 200 ? 200 : held.body.code);
      expect(await slotsOf(tutor)).toEqual([]);
    }
  });

  test('takes only a key that ends with /undo', async () => {
    const bookingId = uuidv7();
    const reply = await service.internal('POST', `/internal/slots/${bookingId}/release`, { key: 'release' });
    expect([reply.status, reply.body.code]).toEqual([400, 'invalid_idempotency_key']);
  });
});

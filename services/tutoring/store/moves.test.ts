import { DAY } from '../../../kernel/time';
import { uuidv7 } from '../../../platform/ids';
import { startTestService, type TestService } from '../../../tests/support/service';
import { anHourAgo, base, codes, slotSteps, start } from '../../../tests/support/slots';
import { listedTutor, type TestTutor } from '../../../tests/support/tutors';
import { tutoringService } from '../routes';

let service: TestService;
beforeAll(async () => {
  service = await startTestService(tutoringService);
});
afterAll(() => service.close());

const { hold, step, unreserve, release, kept, slotsOf, eventsOf } = slotSteps(() => service);

/** A booking of an hour that is paid, `quarters` after the base. */
async function booked(tutor: TestTutor, quarters = 0): Promise<string> {
  const bookingId = uuidv7();
  expect((await hold(tutor, { bookingId, at: start(quarters), expiresAt: null })).status).toBe(200);
  return bookingId;
}
const reserve = (bookingId: string, quarters: number, attempt = 1) =>
  step(bookingId, 'reserve', { start: start(quarters) }, attempt);
const keep = (bookingId: string, quarters: number, attempt = 1) =>
  step(bookingId, 'keep', { start: start(quarters) }, attempt);
const session = (quarters: number) => ({ start: start(quarters), of: 'session' });
const reserved = (quarters: number) => ({ start: start(quarters), of: 'move' });

describe('reserving the time to which a session moves', () => {
  test('keeps both times from everybody else, until the session is there', async () => {
    const tutor = await listedTutor(service);
    const bookingId = await booked(tutor);
    const reply = await reserve(bookingId, 8);
    expect(reply.body).toMatchObject({ bookingId, state: 'booked', start: start(8), end: start(12), expiresAt: null });
    expect(await kept(bookingId)).toEqual([session(0), reserved(8)]);
    expect(codes([await hold(tutor), await hold(tutor, { at: start(8) })])).toEqual(Array(2).fill('slot_unavailable'));

    expect((await keep(bookingId, 8)).status).toBe(204);
    expect(await kept(bookingId)).toEqual([session(8)]);
    expect(codes([await hold(tutor), await hold(tutor, { at: start(8) })])).toEqual([200, 'slot_unavailable']);
    expect((await eventsOf(tutor)).slice(-4)).toEqual(['SlotBooked', 'SlotReserved', 'SlotReleased', 'SlotHeld']);
  });

  test('may overlap the time that the session has', async () => {
    const tutor = await listedTutor(service);
    const bookingId = await booked(tutor);
    expect((await reserve(bookingId, 1)).status).toBe(200);
    const others = await Promise.all([-3, 0, 1, 4].map((at) => hold(tutor, { at: start(at) })));
    expect(codes(others)).toEqual(Array(4).fill('slot_unavailable'));
    await keep(bookingId, 1);
    expect(await kept(bookingId)).toEqual([session(1)]);
    expect((await hold(tutor, { at: start(-3) })).status).toBe(200);
  });

  test('is refused where somebody else has the time, outside the hours and without a slot, and the session stays', async () => {
    const tutor = await listedTutor(service);
    const bookingId = await booked(tutor);
    await booked(tutor, 8);
    const at = (days: number, attempt: number) =>
      step(bookingId, 'reserve', { start: new Date(base + days * DAY).toISOString() }, attempt);
    const refused = [await reserve(bookingId, 7), await at(-7, 2), await at(400, 3), await reserve(uuidv7(), 20)];
    expect(codes(refused)).toEqual(Array(4).fill('slot_unavailable'));
    expect(await kept(bookingId)).toEqual([session(0)]);
  });

  test('takes over an expired hold in its way', async () => {
    const tutor = await listedTutor(service);
    const bookingId = await booked(tutor);
    await hold(tutor, { at: start(8), expiresAt: anHourAgo() });
    expect((await reserve(bookingId, 8)).status).toBe(200);
    expect((await eventsOf(tutor)).slice(-2)).toEqual(['SlotHoldExpired', 'SlotReserved']);
  });

  test('is shown to nobody as free', async () => {
    const tutor = await listedTutor(service);
    const bookingId = await booked(tutor);
    await reserve(bookingId, 2);
    const day = `from=${start(0)}&to=${start(8)}&durationMinutes=30`;
    const { body } = await service.ask('GET', `/api/tutors/${tutor.id}/slots?${day}`);
    expect(body.items.map((slot: { start: string }) => slot.start)).toEqual([start(6), start(7)]);
  });

  test('ends with its booking: a cancel frees both times, and what comes after it changes nothing', async () => {
    const tutor = await listedTutor(service);
    const bookingId = await booked(tutor);
    await reserve(bookingId, 8);
    expect((await release(bookingId)).status).toBe(204);
    expect(codes([await keep(bookingId, 8), await unreserve(bookingId)])).toEqual([204, 204]);
    expect(await kept(bookingId)).toEqual([]);
    expect((await eventsOf(tutor)).filter((type) => type === 'SlotReleased')).toHaveLength(2);
  });
});

describe('giving a move up', () => {
  test('frees what it reserved, once and again, and refuses the step that arrives late', async () => {
    const tutor = await listedTutor(service);
    const bookingId = await booked(tutor);
    await reserve(bookingId, 8);
    expect(codes(await Promise.all([unreserve(bookingId), unreserve(bookingId)]))).toEqual([204, 204]);
    expect(codes([await reserve(bookingId, 8)])).toEqual(['undone']);
    expect(await kept(bookingId)).toEqual([session(0)]);
    expect((await hold(tutor, { at: start(8) })).status).toBe(200);
  });

  test('to the time that the session has frees nothing', async () => {
    const tutor = await listedTutor(service);
    const bookingId = await booked(tutor);
    expect((await reserve(bookingId, 0)).body).toMatchObject({ start: start(0), state: 'booked' });
    expect((await unreserve(bookingId)).status).toBe(204);
    expect(await kept(bookingId)).toEqual([session(0)]);
  });

  test('there and back again: of the way back alone it frees the old time, whenever the undo of the way there comes', async () => {
    const tutor = await listedTutor(service);
    const bookingId = await booked(tutor);
    await reserve(bookingId, 8, 1);
    await keep(bookingId, 8, 1);
    expect((await reserve(bookingId, 0, 2)).status).toBe(200);
    expect((await unreserve(bookingId, 1)).status).toBe(204);
    expect(await kept(bookingId)).toEqual([reserved(0), session(8)]);
    expect((await unreserve(bookingId, 2)).status).toBe(204);
    expect(await kept(bookingId)).toEqual([session(8)]);
  });

  test('leaves what a later move has reserved anew, though the earlier one never freed it', async () => {
    const tutor = await listedTutor(service);
    const bookingId = await booked(tutor);
    await reserve(bookingId, 8, 1);
    expect((await reserve(bookingId, 8, 2)).status).toBe(200);
    expect((await unreserve(bookingId, 1)).status).toBe(204);
    expect(await kept(bookingId)).toEqual([session(0), reserved(8)]);
    expect((await unreserve(bookingId, 2)).status).toBe(204);
    expect(await kept(bookingId)).toEqual([session(0)]);
    expect((await eventsOf(tutor)).filter((type) => type === 'SlotReserved')).toHaveLength(1);
  });
});

test('a booking that keeps nothing where its session is said to be is left as it is', async () => {
  const tutor = await listedTutor(service);
  const bookingId = await booked(tutor);
  expect(codes([await keep(bookingId, 8), await keep(uuidv7(), 8)])).toEqual([204, 204]);
  expect(await kept(bookingId)).toEqual([session(0)]);
});

describe('moving a slot at once, as sagas of before do', () => {
  test('keeps its length and state, and may overlap its own old time', async () => {
    const tutor = await listedTutor(service);
    const bookingId = uuidv7();
    await hold(tutor, { bookingId, minutes: 90 });
    await step(bookingId, 'block');
    const reply = await step(bookingId, 'move', { start: start(2) });
    expect(reply.body).toMatchObject({ state: 'booked', start: start(2), end: start(8) });
    expect(await slotsOf(tutor)).toHaveLength(1);
    expect((await eventsOf(tutor)).at(-1)).toBe('SlotMoved');
    expect((await hold(tutor, { minutes: 30 })).status).toBe(200);
  });

  test.each([
    ['made', true],
    ['still on its way', false],
  ])('and back again, as the undo of a move that was %s: the move is refused from then on', async (_, wasMade) => {
    const tutor = await listedTutor(service);
    const bookingId = await booked(tutor);
    const key = `booking:${bookingId}/reschedule-1/move-slot`;
    const move = (key: string, quarters: number) =>
      service.internal('POST', `/internal/slots/${bookingId}/move`, { key, body: { start: start(quarters) } });
    if (wasMade) expect((await move(key, 8)).body).toMatchObject({ start: start(8) });
    const undone = await move(`${key}/undo`, 0);
    expect(undone.body).toMatchObject({ state: 'booked', start: start(0) });
    expect((await move(`${key}/undo`, 0)).body).toEqual(undone.body);
    expect(codes([await move(key, 8)])).toEqual(['undone']);
    expect(await kept(bookingId)).toEqual([session(0)]);
  });

  test('to a taken time, outside the hours or without a slot is refused, and the old time stays', async () => {
    const tutor = await listedTutor(service);
    const bookingId = uuidv7();
    await hold(tutor, { bookingId });
    await hold(tutor, { at: start(8) });
    const refused = [
      await step(bookingId, 'move', { start: start(7) }, 1),
      await step(bookingId, 'move', { start: new Date(base - 7 * DAY).toISOString() }, 2),
      await step(bookingId, 'move', { start: new Date(base + 400 * DAY).toISOString() }, 3),
      await step(uuidv7(), 'move', { start: start(20) }),
    ];
    expect(codes(refused)).toEqual(Array.from({ length: 4 }, () => 'slot_unavailable'));
    expect(codes([await hold(tutor)])).toEqual(['slot_unavailable']);
  });

  test('takes over an expired hold in its way', async () => {
    const tutor = await listedTutor(service);
    const bookingId = uuidv7();
    await hold(tutor, { bookingId });
    await hold(tutor, { at: start(8), expiresAt: anHourAgo() });
    expect((await step(bookingId, 'move', { start: start(8) })).status).toBe(200);
  });

  test('racing a new hold for the same time, one of both has it', async () => {
    const tutor = await listedTutor(service);
    for (let round = 0; round < 10; round++) {
      const bookingId = uuidv7();
      const [from, to] = [start(200 + round * 16), start(208 + round * 16)];
      await hold(tutor, { bookingId, at: from });
      const replies = await Promise.all([step(bookingId, 'move', { start: to }), hold(tutor, { at: to })]);
      expect(codes(replies)).toEqual([200, 'slot_unavailable']);
    }
  });

  test('two bookings that change places at once do not deadlock: each keeps its time or is told', async () => {
    const tutor = await listedTutor(service);
    const [one, other] = [uuidv7(), uuidv7()];
    await hold(tutor, { bookingId: one, at: start(0) });
    await hold(tutor, { bookingId: other, at: start(4) });
    const replies = await Promise.all([
      step(one, 'move', { start: start(4) }),
      step(other, 'move', { start: start(0) }),
    ]);
    expect(codes(replies)).toEqual(['slot_unavailable', 'slot_unavailable']);
  });
});

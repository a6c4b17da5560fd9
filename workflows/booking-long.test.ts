import { SEARCH_ATTRIBUTES } from '../kernel/saga-type';
import { MOST_MOVES } from '../kernel/session';
import { allGoesWell } from '../tests/support/booking-saga';
import { realBookings } from '../tests/support/real-bookings';
import { refuses, type StartedSaga } from '../tests/support/saga-harness';
import { bookingSaga, completeUpdate } from './booking.api';

// Bookings that are asked for many things, on the real server: it is the one that refuses the 2,001st update of a run. It advises a new
// run much earlier here than it would in production, so that a run is full after a few dozen updates and the tests after seconds.
const EVENTS_OF_A_RUN = 300;

jest.setTimeout(240_000);
const { harness, at, now, actorId, send, someBooking, move: moveTo, cancel: cancelIt } = realBookings(EVENTS_OF_A_RUN);

interface Live {
  saga: StartedSaga;
  bookingId: string;
  /** The keys under which a new time was reserved. */
  moves: string[];
  /** Whether the time that is asked for is taken. */
  taken: { now: boolean };
}

async function confirmedBooking(): Promise<Live> {
  const taken = { now: false };
  const moves: string[] = [];
  const input = someBooking();
  const saga = await harness.start(bookingSaga, input, {
    ...allGoesWell(input),
    reserveSlot({ key }: { key: string }, attempt: number) {
      if (taken.now) return refuses('slot_unavailable')({}, attempt);
      moves.push(key);
      return undefined;
    },
  });
  await saga.becomes('Confirmed');
  return { saga, bookingId: input.bookingId, moves, taken };
}

const move = ({ bookingId }: Live, daysLater: number, updateId?: string) => moveTo(bookingId, daysLater, updateId);
const cancel = ({ bookingId }: Live) => cancelIt(bookingId);
const completeTooEarly = ({ bookingId }: Live) => send(bookingId, completeUpdate, { actorId, requestedAt: now() });

/** Asks `times` times, eight at once, and gives what was answered, by code. */
async function storm(times: number, ask: () => Promise<unknown>): Promise<Record<string, number>> {
  const answers: Record<string, number> = {};
  let left = times;
  const lane = async () => {
    while (left-- > 0) {
      const code = await ask().then(
        () => 'done',
        (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : String(error)),
      );
      answers[code] = (answers[code] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: 8 }, lane));
  return answers;
}

async function runOf({ saga }: Live) {
  const { runId, historyLength, searchAttributes: found } = await saga.handle.describe();
  // The saga's own: the SDK adds which patches this very run has met.
  const searchAttributes = Object.fromEntries(SEARCH_ATTRIBUTES.map((name) => [name, found[name]]));
  return { runId, historyLength, searchAttributes };
}

test('a booking that was asked for several runs full of things is as able to cancel as one that was asked for none', async () => {
  const live = await confirmedBooking();
  const first = await runOf(live);
  live.taken.now = true;
  // Accepted and then refused, so that they count towards what a run may take. The others leave no trace.
  expect(await storm(90, () => move(live, 1))).toEqual({ slot_unavailable: 90 });
  expect(await storm(200, () => completeTooEarly(live))).toEqual({ invalid_state: 200 });
  const last = await runOf(live);
  expect(last.runId).not.toBe(first.runId);
  expect(last.historyLength).toBeLessThan(2 * EVENTS_OF_A_RUN);
  expect(last.searchAttributes).toEqual(first.searchAttributes);
  await cancel(live);
  await live.saga.becomes('Compensated');
});

test('what a run has promised the next one keeps: moves, keys of steps, and answers under their ids', async () => {
  const live = await confirmedBooking();
  const { runId } = await runOf(live);
  await move(live, 1, 'first');
  live.taken.now = true;
  await expect(move(live, 2, 'refused')).rejects.toMatchObject({ code: 'slot_unavailable' });
  await storm(10, () => move(live, 2));
  live.taken.now = false;
  await move(live, 3, 'last of the run');
  live.taken.now = true;
  await storm(40, () => move(live, 2));
  live.taken.now = false;
  expect((await runOf(live)).runId).not.toBe(runId);
  const before = live.moves.length;
  // Somebody who got no answer at the time repeats the request under its key.
  await move(live, 3, 'last of the run');
  await expect(move(live, 2, 'refused')).rejects.toMatchObject({ code: 'slot_unavailable' });
  expect(live.moves).toHaveLength(before);
  await move(live, 4);
  expect(new Set(live.moves).size).toBe(live.moves.length);
  await cancel(live);
  await live.saga.becomes('Compensated');
});

test('after twenty moves a booking stays where it is, and every other command is heard', async () => {
  const live = await confirmedBooking();
  for (let times = 1; times <= MOST_MOVES; times++) await move(live, times);
  const { historyLength } = await runOf(live);
  await expect(move(live, 30)).rejects.toMatchObject({ code: 'too_many_moves' });
  expect((await runOf(live)).historyLength).toBe(historyLength);
  await cancel(live);
  await live.saga.becomes('Compensated');
});

test('an operator’s cancel that meets a run as it ends is heard by the next', async () => {
  const live = await confirmedBooking();
  live.taken.now = true;
  let asked = 0;
  await storm(45, async () => {
    asked += 1;
    // The run is about to be full.
    if (asked === 22) await live.saga.handle.cancel();
    await move(live, 1);
  });
  await live.saga.becomes('Compensated');
  expect(await live.saga.result()).toEqual({ outcome: 'cancelled', reason: 'cancelled_by_operator' });
});

test('an update that does not parse is refused, and a signal that does not is dropped', async () => {
  const live = await confirmedBooking();
  const { saga } = live;
  const { historyLength } = await runOf(live);
  for (const [name, argument] of [
    ['complete', {}],
    ['complete', { requestedAt: 'tomorrow' }],
    ['complete', null],
    ['cancel', { by: 'nobody', requestedAt: now() }],
    ['cancel', { by: 'student' }],
    ['cancel', { by: 'student', requestedAt: now(), noteId: 7 }],
    ['reschedule', { by: 'tutor', scheduledAt: at(1) }],
    ['reschedule', { by: 'operator', scheduledAt: at(1), requestedAt: now() }],
  ] as const)
    await expect(saga.update(name, argument)).rejects.toThrow('validation_failed');
  expect((await runOf(live)).historyLength).toBe(historyLength);
  await saga.handle.signal('paymentChanged', { version: 'NaN' });
  await saga.handle.signal('paymentChanged', null);
  await cancel(live);
  await saga.becomes('Compensated');
});

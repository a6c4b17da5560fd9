import { setTimeout as pause } from 'node:timers/promises';
import { allGoesWell } from '../tests/support/booking-saga';
import { eur } from '../tests/support/bookings';
import { eventually } from '../tests/support/platform';
import { realBookings } from '../tests/support/real-bookings';
import { gate, isAway, refuses, type TestActivity } from '../tests/support/saga-harness';
import { bookingSaga } from './booking.api';

// A notice that cannot be stored goes on beside the commands of its booking. On the real server: it is the one that opens a workflow task
// for an update while a local activity still holds the one before. The bookings have nothing to do with each other and wait for seconds
// most of the time: they do so side by side.

/** The server advises a new run after so many events, which a few moves make. */
const EVENTS_OF_A_RUN = 120;

jest.setTimeout(120_000);
const hung = gate();
afterAll(() => hung.open());
const { harness, at, actorId, someBooking, move, cancel } = realBookings(EVENTS_OF_A_RUN);

async function bookingThatTells(
  notifyBooking: TestActivity,
  reserveSlot: TestActivity = () => undefined,
  others: Record<string, TestActivity> = {},
) {
  const input = someBooking();
  const saga = await harness.start(bookingSaga, input, {
    ...allGoesWell(input),
    notifyBooking,
    reserveSlot,
    ...others,
  });
  await saga.called('notifyBooking');
  const { bookingId } = input;
  return { saga, move: (daysLater: number) => move(bookingId, daysLater), cancel: () => cancel(bookingId) };
}

const failsAtFirst =
  (attempts: number): TestActivity =>
  (input, attempt) =>
    attempt <= attempts ? isAway(input, attempt) : undefined;

const unless =
  (away: { now: boolean }): TestActivity =>
  (input, attempt) =>
    away.now ? isAway(input, attempt) : undefined;

test.concurrent.each<[string, TestActivity]>([
  ['fails for seconds', failsAtFirst(4)],
  ['hangs', (_, attempt) => (attempt === 1 ? hung.activity() : undefined)],
])(
  'a notice %s: moves and the cancel are heard meanwhile, and the history replays at every point',
  async (_, notice) => {
    const { saga, move, cancel } = await bookingThatTells(notice);
    await harness.replay(saga.handle);
    for (const daysLater of [1, 2]) {
      await move(daysLater);
      await harness.replay(saga.handle);
    }
    await cancel();
    await harness.replay(saga.handle);
    expect(await saga.result()).toEqual({ outcome: 'cancelled', reason: 'cancelled_by_student' });
    await harness.replay(saga.handle);
  },
);

test.concurrent('a notice that the server retries is no hindrance either', async () => {
  const away = { now: true };
  const { saga, move, cancel } = await bookingThatTells(unless(away));
  await move(1);
  await eventually(
    'the notice goes on as a recorded step',
    async () => {
      const { raw } = await saga.handle.describe();
      return raw.pendingActivities?.some(({ activityType }) => activityType?.name === 'notifyBooking');
    },
    60_000,
  );
  await harness.replay(saga.handle);
  await move(2);
  await harness.replay(saga.handle);
  away.now = false;
  await cancel();
  expect(await saga.result()).toEqual({ outcome: 'cancelled', reason: 'cancelled_by_student' });
  await harness.replay(saga.handle);
});

test.concurrent('a booking whose run is full hears its commands while a notice cannot be stored', async () => {
  const away = { now: false };
  const { saga, move, cancel } = await bookingThatTells(unless(away));
  const { runId } = await saga.handle.describe();
  away.now = true;
  for (let moves = 1; (await saga.handle.describe()).historyLength <= EVENTS_OF_A_RUN; moves++) await move(moves);
  await move(18);
  expect((await saga.handle.describe()).runId).toBe(runId);
  await cancel();
  away.now = false;
  expect(await saga.result()).toEqual({ outcome: 'cancelled', reason: 'cancelled_by_student' });
});

test.concurrent('so it does when the notice is of a move that was asked for before the run was full', async () => {
  const [taken, held, free] = [1, 2, 3];
  const away = { now: false };
  const holding = gate();
  const { saga, move, cancel } = await bookingThatTells(unless(away), async ({ start }, attempt) => {
    if (start === at(held)) await holding.activity();
    if (start !== at(free)) refuses('slot_unavailable')({}, attempt);
  });
  const refused = (daysLater: number) => expect(move(daysLater)).rejects.toMatchObject({ code: 'slot_unavailable' });
  let asked = 0;
  for (; (await saga.handle.describe()).historyLength < EVENTS_OF_A_RUN - 16; asked++) await refused(taken);
  const calls = saga.calls.filter((name) => name === 'reserveSlot').length;
  const first = refused(held);
  await saga.called('reserveSlot', calls + 1);
  // With those that wait behind the first the run is full, but only when that one is answered.
  away.now = true;
  const waiting = [move(free), ...Array.from({ length: 7 }, () => refused(taken))];
  await saga.updateArrived('reschedule', asked + 9);
  holding.open();
  await Promise.all([first, ...waiting]);
  await cancel();
  away.now = false;
  expect(await saga.result()).toEqual({ outcome: 'cancelled', reason: 'cancelled_by_student' });
});

test.concurrent('a notice hangs while a move is refused and undone: the history replays at every point', async () => {
  const { saga, move, cancel } = await bookingThatTells(
    (_, attempt) => (attempt === 1 ? hung.activity() : undefined),
    undefined,
    { rescheduleBooking: refuses('conflict') },
  );
  await expect(move(1)).rejects.toMatchObject({ code: 'conflict' });
  await harness.replay(saga.handle);
  await cancel();
  await saga.result();
  await harness.replay(saga.handle);
});

test.concurrent('a notice hangs while the tutor declines and everything is undone: the history replays at every point', async () => {
  const { saga } = await bookingThatTells((_, attempt) => (attempt === 1 ? hung.activity() : undefined), undefined, {
    createBooking: () => ({ price: eur(4500), startsAt: at(0), endsAt: at(0), instantBooking: false }),
  });
  await saga.update('decline', { actorId, noteId: null });
  await harness.replay(saga.handle);
  await saga.result();
  await harness.replay(saga.handle);
});

test.concurrent('notices are stored one after another: of a move people are told once they know of the booking', async () => {
  const away = { now: true };
  const stored: string[] = [];
  const { saga, move, cancel } = await bookingThatTells((input: { notice: string }, attempt) => {
    if (away.now) isAway(input, attempt);
    stored.push(input.notice);
  });
  await move(1);
  await harness.replay(saga.handle);
  away.now = false;
  await cancel();
  await saga.result();
  expect(stored).toEqual(['confirmed', 'rescheduled', 'cancelled']);
  await harness.replay(saga.handle);
});

test.concurrent('the tutor says yes while the task that asked them is renewed: another worker can take the booking over', async () => {
  const input = someBooking();
  const takes = (ms: number) => () => pause(ms).then(() => undefined);
  const saga = await harness.start(bookingSaga, input, {
    ...allGoesWell(input, { instant: false }),
    // Longer than they may: eight seconds of local steps, in the middle of the notice, are one task and the next.
    extendHold: takes(2_700),
    awaitTutor: takes(2_700),
    notifyBooking: takes(2_800),
  });
  await saga.called('notifyBooking');
  await saga.update('confirm', { actorId });
  await harness.replay(saga.handle);
});

import { allGoesWell } from '../tests/support/booking-saga';
import { realBookings } from '../tests/support/real-bookings';
import { refuses } from '../tests/support/saga-harness';
import { bookingSaga } from './booking.api';
import { resolve } from './saga.api';

// An operator's answers are updates too, of which Temporal takes 2,000 in a run. The server advises no new run here, so that nothing but
// their number can ask for one.
const NEVER = 1_000_000;
/** So many updates a run takes (`booking-confirmed.ts`). */
const UPDATES_A_RUN = 500;
const STUCK = 'undo reschedule-1/reserve-slot';

jest.setTimeout(120_000);
const { harness, send, someBooking, move: moveTo, cancel } = realBookings(NEVER);

test('answers of an operator count towards what a run takes: after many of them the booking goes on in a new one', async () => {
  const input = someBooking();
  const { bookingId } = input;
  const clash = { now: true };
  const saga = await harness.start(bookingSaga, input, {
    ...allGoesWell(input),
    // The first move cannot be made, nor taken back.
    unreserveSlot: refuses('conflict'),
    rescheduleBooking: (asked, attempt) => (clash.now ? refuses('conflict')(asked, attempt) : undefined),
  });
  await saga.becomes('Confirmed');
  const move = (daysLater: number) => moveTo(bookingId, daysLater);
  const answer = (action: string) => send(bookingId, resolve, { step: STUCK, action });
  const runOf = async () => {
    const { runId, historyLength } = await saga.handle.describe();
    return { runId, historyLength };
  };

  await expect(move(1)).rejects.toMatchObject({ code: 'conflict' });
  await saga.becomes('NeedsAttention');
  const first = await runOf();
  let left = UPDATES_A_RUN;
  const lane = async () => {
    while (left-- > 0) await answer('retry');
  };
  await Promise.all(Array.from({ length: 8 }, lane));
  // What is stuck belongs to its run.
  expect((await runOf()).runId).toBe(first.runId);
  await answer('accept');
  await saga.becomes('Confirmed');

  // Refused by the validator: it leaves no trace and does not count.
  const { historyLength } = await runOf();
  for (const action of ['retry', 'accept', 'waived'])
    await expect(answer(action)).rejects.toMatchObject({ code: 'invalid_state' });
  expect((await runOf()).historyLength).toBe(historyLength);

  clash.now = false;
  await move(2);
  await move(3);
  const next = await runOf();
  expect(next.runId).not.toBe(first.runId);
  expect(next.historyLength).toBeLessThan(historyLength);
  await expect(answer('retry')).rejects.toMatchObject({ code: 'invalid_state' });
  await cancel(bookingId);
  await saga.becomes('Compensated');
});

import { randomUUID } from 'node:crypto';
import { allGoesWell } from '../tests/support/booking-saga';
import { eur } from '../tests/support/bookings';
import { realBookings } from '../tests/support/real-bookings';
import { gate, type TestActivity } from '../tests/support/saga-harness';
import { bookingSaga } from './booking.api';
import { refundWorkflowId } from './refund.api';

// A cancelled booking whose refund saga an operator has terminated. On the real server: the time-skipping one tells no saga that its
// child was terminated.

jest.setTimeout(60_000);
const { harness, now, someBooking } = realBookings();

const pending = { status: 'pending', version: 1, tries: 1 };
const succeeded = { status: 'succeeded', version: 2, tries: 1 };

/** A booking whose cancel waits for its refund, when that refund's saga was terminated. */
async function refundTerminated() {
  const input = someBooking();
  const refundId = randomUUID();
  const settled: unknown[] = [];
  const submitted = gate();
  let atStripe: unknown = pending;
  const activities: Record<string, TestActivity> = {
    ...allGoesWell(input),
    refundShare: () => ({ refundId, amount: eur(2250) }),
    submitRefund() {
      submitted.open();
      return atStripe;
    },
    giveUpRefund: (how) => void settled.push(how),
  };
  const saga = await harness.start(bookingSaga, input, activities);
  await saga.becomes('Confirmed');
  const { studentId: actorId } = input;
  const requestedAt = now();
  const cancelled = saga.update('cancel', { by: 'student', actorId, noteId: null, requestedAt });
  await submitted.activity();
  const refund = harness.env.client.workflow.getHandle(refundWorkflowId(refundId));
  await refund.terminate('by mistake');
  await saga.becomes('NeedsAttention');
  return {
    ...{ saga, refund, refundId, settled, cancelled },
    stripeMakesIt() {
      atStripe = succeeded;
    },
  };
}

test.each(['paid_elsewhere', 'waived'])(
  'a refund whose saga was terminated asks for an operator; %s: nothing of it stays reserved, the cancel is answered and the rest is kept for the tutor',
  async (action) => {
    const { saga, refundId, settled, cancelled } = await refundTerminated();
    await expect(saga.update('resolve', { step: 'refund', action: 'accept' })).rejects.toThrow('validation_failed');
    await saga.update('resolve', { step: 'refund', action });
    await cancelled;
    await expect(saga.result()).resolves.toEqual({ outcome: 'cancelled', reason: 'cancelled_by_student' });
    expect(settled).toEqual([{ refundId, as: action, key: `${refundWorkflowId(refundId)}/by-hand` }]);
    expect(saga.calls.at(-1)).toBe('giveUpRefund');
    expect(saga.calls).toContain('releaseEarnings');
  },
);

test('a refund whose saga was terminated is started again at the operator’s retry, and the cancel is answered when the money is back', async () => {
  const { saga, refund, settled, cancelled, stripeMakesIt } = await refundTerminated();
  stripeMakesIt();
  await saga.update('resolve', { step: 'refund', action: 'retry' });
  await cancelled;
  await expect(refund.result()).resolves.toEqual({ status: 'succeeded' });
  await expect(saga.result()).resolves.toEqual({ outcome: 'cancelled', reason: 'cancelled_by_student' });
  expect(settled).toEqual([]);
});

import { randomUUID } from 'node:crypto';
import { DAY, HOUR, MINUTE } from '../kernel/time';
import { allGoesWell, bookingSagas } from '../tests/support/booking-saga';
import { eur } from '../tests/support/bookings';
import { gate, isAway, refuses } from '../tests/support/saga-harness';
import { bookingSaga } from './booking.api';
import { refundSaga } from './refund.api';

const { harness, now, someBooking, confirmed, cancelBy } = bookingSagas();

describe('a confirmed booking', () => {
  test('cancelled by the student: slot released, refund made by its own saga, what is kept becomes payable', async () => {
    const input = await someBooking();
    const saga = await confirmed(input);
    await saga.update('cancel', await cancelBy('student'));
    await expect(saga.result()).resolves.toEqual({ outcome: 'cancelled', reason: 'cancelled_by_student' });
    expect(saga.calls.slice(5)).toEqual([
      'cancelConfirmed',
      ...['releaseSlot', 'createRefund'].toSorted((a, b) => saga.calls.indexOf(a) - saga.calls.indexOf(b)), // beside each other
      'releaseEarnings',
      'notifyBooking',
    ]);
  });

  test('whose refund saga runs already, because something else started it, is cancelled all the same', async () => {
    const input = await someBooking();
    const refund = { refundId: randomUUID(), paymentId: randomUUID(), bookingId: null };
    const other = await harness.start(refundSaga, refund, {
      ...allGoesWell(input),
      submitRefund: () => ({ status: 'pending', version: 1, tries: 1 }),
      refreshRefund: () => ({ status: 'succeeded', version: 2, tries: 1 }),
    });
    const saga = await confirmed(input, { ...allGoesWell(input), createRefund: () => ({ refundId: refund.refundId }) });
    await saga.update('cancel', await cancelBy('student'));
    await expect(saga.result()).resolves.toMatchObject({ reason: 'cancelled_by_student' });
    expect(saga.calls).toContain('releaseEarnings');
    await expect(other.result()).resolves.toEqual({ status: 'succeeded' });
  });

  test('cancelled while its confirmation is still being written: the cancel waits for it and goes by the terms', async () => {
    const input = await someBooking();
    const writing = gate();
    const saga = await harness.start(bookingSaga, input, { ...allGoesWell(input), confirmBooking: writing.activity });
    await saga.called('confirmBooking');
    const cancelled = saga.update('cancel', await cancelBy('student'));
    await saga.updateArrived('cancel');
    writing.open();
    await cancelled;
    await expect(saga.result()).resolves.toMatchObject({ reason: 'cancelled_by_student' });
    expect(saga.calls).toContain('cancelConfirmed');
    expect(saga.calls).not.toContain('settleToZero');
  });

  test('whose money was given back by the tutor before the saga looked has been paid all the same', async () => {
    const input = await someBooking();
    const payment = { paymentId: randomUUID(), bookingId: input.bookingId, captureBefore: null };
    const saga = await harness.start(bookingSaga, input, {
      ...allGoesWell(input),
      chargePayment: () => ({ ...payment, version: 1, status: 'requires_action' }),
      refreshPayment: () => ({ ...payment, version: 3, status: 'partially_refunded' }),
    });
    await expect(saga.result()).resolves.toMatchObject({ outcome: 'completed' });
    expect(saga.calls).not.toContain('settleToZero');
  });

  test('cancelled without anything to give back: no refund is made', async () => {
    const input = await someBooking();
    const saga = await confirmed(input, {
      ...allGoesWell(input),
      cancelConfirmed: () => ({ refund: eur(0), retained: eur(4500) }),
    });
    await saga.update('cancel', await cancelBy('student'));
    await saga.result();
    expect(saga.calls).not.toContain('createRefund');
    expect(saga.calls).toContain('releaseEarnings');
  });

  test('two cancels at once: one is accepted, the other refused', async () => {
    const input = await someBooking();
    const saga = await confirmed(input);
    const outcomes = await Promise.allSettled([
      saga.update('cancel', await cancelBy('student')),
      saga.update('cancel', await cancelBy('tutor')),
    ]);
    expect(outcomes.map((outcome) => outcome.status).toSorted()).toEqual(['fulfilled', 'rejected']);
    expect(saga.calls.filter((call) => call === 'cancelConfirmed')).toHaveLength(1);
  });

  test('moved: slot and booking move, the reminders follow the new start', async () => {
    const input = await someBooking(3 * DAY);
    const saga = await confirmed(input);
    const scheduledAt = new Date(Date.parse(input.scheduledAt) + 4 * DAY).toISOString();
    await saga.update('reschedule', {
      by: 'student',
      actorId: input.studentId,
      scheduledAt,
      requestedAt: new Date(await now()).toISOString(),
    });
    await saga.result();
    expect(saga.calls.slice(5, 8)).toEqual(['moveSlot', 'rescheduleBooking', 'notifyBooking']);
    expect(await now()).toBeGreaterThan(Date.parse(scheduledAt) + 2 * DAY);
  });

  test('moved to a slot that is taken: refused, and nothing has changed', async () => {
    const input = await someBooking();
    let moves = 0;
    const saga = await confirmed(input, {
      ...allGoesWell(input),
      moveSlot: () => (moves++ === 0 ? refuses('slot_unavailable')(undefined, 1) : undefined),
    });
    const wish = {
      by: 'tutor',
      actorId: input.tutorId,
      scheduledAt: new Date((await now()) + 5 * DAY).toISOString(),
      requestedAt: new Date(await now()).toISOString(),
    };
    await expect(saga.update('reschedule', wish)).rejects.toThrow('slot_unavailable');
    expect(saga.calls).not.toContain('rescheduleBooking');
    await saga.update('cancel', await cancelBy('tutor'));
  });

  test('moved, and the booking refuses: the slot moves back', async () => {
    const input = await someBooking();
    const starts: string[] = [];
    let refusals = 0;
    const saga = await confirmed(input, {
      ...allGoesWell(input),
      moveSlot: ({ start }: { start: string }) => void starts.push(start),
      rescheduleBooking: () => (refusals++ === 0 ? refuses('conflict')(undefined, 1) : undefined),
    });
    const scheduledAt = new Date((await now()) + 5 * DAY).toISOString();
    const wish = { by: 'tutor', actorId: input.tutorId, scheduledAt, requestedAt: new Date(await now()).toISOString() };
    await expect(saga.update('reschedule', wish)).rejects.toThrow('conflict');
    expect(starts).toEqual([scheduledAt, input.scheduledAt]);
  });

  test.each(['cancel', 'Request Cancellation'])(
    'whose move cannot be undone hears a %s, which makes the undo pointless; another move has to wait',
    async (how) => {
      const input = await someBooking();
      const saga = await confirmed(input, {
        ...allGoesWell(input),
        moveSlot: (move: { key: string }, attempt) => (move.key.endsWith('/undo') ? isAway(move, attempt) : undefined),
        rescheduleBooking: ({ key }: { key: string }) =>
          key.endsWith('/undo') ? undefined : refuses('conflict')({}, 1),
      });
      const scheduledAt = new Date((await now()) + 5 * DAY).toISOString();
      const requestedAt = new Date(await now()).toISOString();
      const wish = { by: 'tutor', actorId: input.tutorId, scheduledAt, requestedAt };
      await expect(saga.update('reschedule', wish)).rejects.toThrow('conflict');
      await expect(saga.update('reschedule', wish)).rejects.toThrow('upstream_unavailable');
      if (how === 'cancel') await saga.update('cancel', await cancelBy('student'));
      else await saga.handle.cancel();
      const by = how === 'cancel' ? 'student' : 'operator';
      await expect(saga.result()).resolves.toEqual({ outcome: 'cancelled', reason: `cancelled_by_${by}` });
      expect(saga.calls).toContain('releaseSlot');
    },
  );

  test('moved again while a move is made that cannot be undone: the second has to be asked for again', async () => {
    const input = await someBooking();
    const moving = gate();
    const saga = await confirmed(input, {
      ...allGoesWell(input),
      moveSlot: (move: { key: string }, attempt) =>
        move.key.endsWith('/undo') ? isAway(move, attempt) : moving.activity(),
      rescheduleBooking: ({ key }: { key: string }) => (key.endsWith('/undo') ? undefined : refuses('conflict')({}, 1)),
    });
    const scheduledAt = new Date((await now()) + 5 * DAY).toISOString();
    const wish = { by: 'tutor', actorId: input.tutorId, scheduledAt, requestedAt: new Date(await now()).toISOString() };
    const first = saga.update('reschedule', wish).catch((error: Error) => error.message);
    await saga.called('moveSlot');
    const second = saga.update('reschedule', wish).catch((error: Error) => error.message);
    await saga.updateArrived('reschedule', 2);
    moving.open();
    expect([await first, await second]).toEqual(['conflict', 'upstream_unavailable']);
    await saga.update('cancel', await cancelBy('student'));
    await expect(saga.result()).resolves.toMatchObject({ reason: 'cancelled_by_student' });
  });

  test('cannot be moved by the student within 24 hours, nor completed before its end', async () => {
    const input = await someBooking(23 * HOUR);
    const saga = await confirmed(input);
    const requestedAt = new Date(await now()).toISOString();
    const scheduledAt = new Date((await now()) + 5 * DAY).toISOString();
    await expect(
      saga.update('reschedule', { by: 'student', actorId: input.studentId, scheduledAt, requestedAt }),
    ).rejects.toThrow('invalid_state');
    await expect(saga.update('complete', { actorId: input.tutorId, requestedAt })).rejects.toThrow('invalid_state');
    expect(saga.calls).not.toContain('moveSlot');
  });

  test('moved while another move waits for its turn: that one is judged by the new start', async () => {
    const input = await someBooking(5 * DAY);
    const moving = gate();
    const saga = await confirmed(input, { ...allGoesWell(input), moveSlot: moving.activity });
    const requestedAt = new Date(await now()).toISOString();
    const wish = async (by: 'student' | 'tutor', startsIn: number) => ({
      by,
      actorId: randomUUID(),
      requestedAt,
      scheduledAt: new Date((await now()) + startsIn).toISOString(),
    });
    const first = saga.update('reschedule', await wish('tutor', 5 * HOUR));
    await saga.called('moveSlot');
    const second = saga.update('reschedule', await wish('student', 6 * DAY)).catch((error: Error) => error.message);
    await saga.updateArrived('reschedule', 2);
    moving.open();
    await first;
    expect(await second).toBe('invalid_state');
    expect(saga.calls.filter((call) => call === 'moveSlot')).toHaveLength(1);
  });

  test('cannot be moved by its tutor once it has begun', async () => {
    const input = await someBooking(HOUR);
    const saga = await confirmed(input);
    await harness.env.sleep(HOUR + MINUTE);
    const requestedAt = new Date(await now()).toISOString();
    const scheduledAt = new Date((await now()) + 5 * DAY).toISOString();
    const wish = { by: 'tutor', actorId: input.tutorId, scheduledAt, requestedAt };
    await expect(saga.update('reschedule', wish)).rejects.toThrow('invalid_state');
    expect(saga.calls).not.toContain('moveSlot');
  });

  test('whose cancel the service refuses asks for an operator; accepted: nothing is refunded, the slot is free', async () => {
    const input = await someBooking();
    const saga = await confirmed(input, { ...allGoesWell(input), cancelConfirmed: refuses('invalid_state') });
    const cancelled = saga.update('cancel', await cancelBy('student'));
    await saga.called('cancelConfirmed');
    await saga.becomes('NeedsAttention');
    await saga.update('resolve', { action: 'accept', noteId: null });
    await cancelled;
    await expect(saga.result()).resolves.toMatchObject({ outcome: 'cancelled' });
    expect(saga.calls).toContain('releaseSlot');
    expect(saga.calls).not.toContain('createRefund');
  });

  test('whose refund the service refuses asks for an operator; waived: the rest is kept for the tutor', async () => {
    const input = await someBooking();
    const saga = await confirmed(input, { ...allGoesWell(input), createRefund: refuses('refund_exceeds_payment') });
    const cancelled = saga.update('cancel', await cancelBy('student'));
    await saga.called('createRefund');
    await saga.becomes('NeedsAttention');
    await saga.update('resolve', { step: 'refund', action: 'waived', noteId: null });
    await cancelled;
    await expect(saga.result()).resolves.toMatchObject({ outcome: 'cancelled' });
    expect(saga.calls).toContain('releaseEarnings');
  });

  test('completed by the tutor after its end', async () => {
    const input = await someBooking(HOUR / 2);
    const saga = await confirmed(input);
    await harness.env.sleep(2 * HOUR);
    await saga.update('complete', { actorId: input.tutorId, requestedAt: new Date(await now()).toISOString() });
    await expect(saga.result()).resolves.toEqual({ outcome: 'completed', reason: 'completed_by_tutor' });
  });
});

test('every step, also of the refund that a booking starts, runs in the trace of the request', () => {
  expect([...harness.untraced]).toEqual([]);
});

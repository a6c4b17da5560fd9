import { randomUUID } from 'node:crypto';
import { DAY, endOf, HOUR } from '../kernel/time';
import { allGoesWell, bookingSagas } from '../tests/support/booking-saga';
import { eur } from '../tests/support/bookings';
import { gate, isAway, refuses } from '../tests/support/saga-harness';
import { type BookingInput, bookingSaga } from './booking.api';
import { refundSaga } from './refund.api';

const { harness, now, someBooking, confirmed, cancelBy } = bookingSagas();

describe('a confirmed booking', () => {
  test('cancelled by the student: slot released, refund made by its own saga, what is kept becomes payable', async () => {
    const input = await someBooking();
    const saga = await confirmed(input);
    await saga.update('cancel', await cancelBy('student'));
    await expect(saga.result()).resolves.toEqual({ outcome: 'cancelled', reason: 'cancelled_by_student' });
    expect(saga.calls.slice(5, 6)).toEqual(['cancelConfirmed']);
    // Beside each other: people are told, the slot is freed, the share given back, and what is kept made payable after that.
    const beside = ['notifyBooking', 'releaseSlot', 'refundShare', 'releaseEarnings'];
    expect(saga.calls.slice(6).toSorted()).toEqual(beside.toSorted());
    expect(saga.calls.indexOf('releaseEarnings')).toBeGreaterThan(saga.calls.indexOf('refundShare'));
  });

  test('whose refund saga runs already, because something else started it, is cancelled all the same', async () => {
    const input = await someBooking();
    const refund = { refundId: randomUUID(), paymentId: randomUUID(), bookingId: null };
    const other = await harness.start(refundSaga, refund, {
      ...allGoesWell(input),
      submitRefund: () => ({ status: 'pending', version: 1, tries: 1 }),
      refreshRefund: () => ({ status: 'succeeded', version: 2, tries: 1 }),
    });
    const share = { refundId: refund.refundId, amount: eur(2250) };
    const saga = await confirmed(input, { ...allGoesWell(input), refundShare: () => share });
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

  test.each([
    ['nothing is given back: payment is not asked for a refund', { percent: 0 }, null, ['releaseEarnings']],
    ['everything is given back: nothing is made payable', { percent: 100 }, 'refund', ['refundShare']],
    ['nothing is left to give back: no refund saga is started', { percent: 100 }, null, ['refundShare']],
  ])('cancelled, and %s', async (_, terms, made, calls) => {
    const input = await someBooking();
    const saga = await confirmed(input, {
      ...allGoesWell(input),
      cancelConfirmed: () => terms,
      refundShare: () => ({ refundId: made && randomUUID(), amount: eur(made ? 4500 : 0) }),
    });
    await saga.update('cancel', await cancelBy('student'));
    await expect(saga.result()).resolves.toMatchObject({ outcome: 'cancelled' });
    expect(saga.calls.filter((call) => ['refundShare', 'releaseEarnings'].includes(call))).toEqual(calls);
  });

  test.each([
    ['payment', 'refundShare'],
    ['tutoring', 'releaseSlot'],
  ])('cancelled while %s is away: people are told and whoever cancelled is answered', async (_, step) => {
    const input = await someBooking();
    let isDown = true;
    const told: string[] = [];
    const saga = await confirmed(input, {
      ...allGoesWell(input),
      [step]: (asked: unknown, attempt: number) =>
        isDown ? isAway(asked, attempt) : { refundId: null, amount: eur(0) },
      notifyBooking: ({ notice, refundPercent }: { notice: string; refundPercent?: number }) =>
        void told.push(`${notice} ${refundPercent ?? ''}`),
    });
    await saga.update('cancel', await cancelBy('student'));
    expect(told).toContain('cancelled 50');
    isDown = false;
    await expect(saga.result()).resolves.toMatchObject({ outcome: 'cancelled' });
    expect(saga.calls).toContain('releaseEarnings');
  });

  test('cancelled, and the bank takes days for the refund: what is kept is payable at once', async () => {
    const input = await someBooking();
    let isThrough = false;
    const saga = await confirmed(input, {
      ...allGoesWell(input),
      submitRefund: () => ({ status: 'pending', version: 2, tries: 1 }),
      refreshRefund: () => ({ status: isThrough ? 'succeeded' : 'pending', version: 3, tries: 1 }),
    });
    await saga.update('cancel', await cancelBy('student'));
    await saga.called('releaseEarnings');
    isThrough = true;
    await expect(saga.result()).resolves.toMatchObject({ outcome: 'cancelled' });
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

  test('cannot be completed before its end', async () => {
    const input = await someBooking(23 * HOUR);
    const saga = await confirmed(input);
    const requestedAt = new Date(await now()).toISOString();
    await expect(saga.update('complete', { actorId: input.tutorId, requestedAt })).rejects.toThrow('invalid_state');
    expect(saga.calls).not.toContain('completeBooking');
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
    expect(saga.calls).not.toContain('refundShare');
  });

  test('whose refund the service refuses asks for an operator; waived: the rest is kept for the tutor', async () => {
    const input = await someBooking();
    const saga = await confirmed(input, { ...allGoesWell(input), refundShare: refuses('refund_exceeds_payment') });
    const cancelled = saga.update('cancel', await cancelBy('student'));
    await saga.called('refundShare');
    await saga.becomes('NeedsAttention');
    await saga.update('resolve', { step: 'refund', action: 'waived', noteId: null });
    await cancelled;
    await expect(saga.result()).resolves.toMatchObject({ outcome: 'cancelled' });
    expect(saga.calls).toContain('releaseEarnings');
  });

  test('the tutor may be paid two days after its end, and two days after a cancel', async () => {
    const restsUntil: number[] = [];
    const noted = (input: BookingInput) => ({
      ...allGoesWell(input),
      releaseEarnings: ({ notBefore }: { notBefore: string }) => void restsUntil.push(Date.parse(notBefore)),
    });
    const held = await someBooking(HOUR / 2);
    const completed = await confirmed(held, noted(held));
    await harness.env.sleep(2 * HOUR);
    await completed.update('complete', { actorId: held.tutorId, requestedAt: new Date(await now()).toISOString() });
    await completed.result();
    expect(restsUntil).toEqual([Date.parse(endOf(held.scheduledAt, held.durationMinutes)) + 2 * DAY]);

    const given = await someBooking();
    const cancelled = await confirmed(given, noted(given));
    const before = await now();
    await cancelled.update('cancel', await cancelBy('student'));
    await cancelled.result();
    expect(restsUntil[1]).toBeGreaterThanOrEqual(before + 2 * DAY);
    expect(restsUntil[1]).toBeLessThanOrEqual((await now()) + 2 * DAY);
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

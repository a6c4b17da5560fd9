import { z } from 'zod';
import { operations } from './support/contracts';

// What two requests under one key must share. People's are compared whole. A step of a saga is repeated after a crash, and what its
// activity gathers from other services may be different then: its contract names what was asked for.

/** Steps whose whole body is compared, or that compare otherwise, with the reason why nothing gathered can refuse them. */
const WHOLE_BODY: Record<string, string> = {
  internalRecordPayment: 'compared by payment and version (routes/saga-steps.ts), whatever else comes with it',
  internalAwaitTutor: 'the deadline is the workflow’s, counted from its start',
  internalCancelBooking: 'an undo: the first counts, bodies are not compared',
  internalCancelConfirmedBooking: 'what the person asked for, as the update carried it',
  internalRescheduleBooking: 'what the person asked for, as the update carried it',
  internalCompleteBooking: 'by whom, as the workflow knows it',
  recordNotification: 'compared by template and recipient (store/saga-steps.ts)',
  settleBookingByHand: 'an undo: the first counts, bodies are not compared',
  settlePaymentByHand: 'an undo: the first counts, bodies are not compared',
  cancelPayout: 'an undo: the first counts, bodies are not compared',
  settlePayoutByHand: 'what an operator said, as the update carried it',
  settleDebt: 'what an operator said, as the update carried it',
  closeDispute: 'the version that the workflow saw, kept by the row',
  giveUpRefund: 'what an operator said, as the update carried it',
  chargeBooking: 'ids and the price that the create step returned; one payment per booking, compared member by member',
  createRefund: 'the amount that the cancel step returned',
  refundShare: 'the share that the cancel step returned',
  releaseEarnings: 'a time of the workflow’s',
  retryRefund: 'the number of the try, kept by the row',
  closeRefund: 'the state that the workflow saw, kept by the row',
  holdSlot: 'ids and times of the workflow’s input, counted from its start',
  extendSlot: 'a time of the workflow’s',
  moveSlot: 'what the person asked for, as the update carried it',
  reserveSlot: 'the same',
  keepSlot: 'the same',
  unlistTutor: 'the suspension, by its id',
  relistTutor: 'the same',
  freezePayouts: 'the same',
  thawPayouts: 'the same',
  internalWithdrawBooking: 'nothing is kept under its key: it is harmless twice',
};

const steps = operations.filter(({ access, idempotency, body }) => access === 'service' && idempotency && body);

test('every step with a body says what of it was asked for, or is listed with the reason why all of it is', () => {
  expect(steps.length).toBeGreaterThan(15);
  const unsaid = steps.filter(({ operationId, fingerprint }) => !fingerprint && !(operationId in WHOLE_BODY));
  expect(unsaid.map(({ operationId }) => operationId)).toEqual([]);
});

test('no reason outlives its step', () => {
  const whole = steps.filter(({ fingerprint }) => !fingerprint).map(({ operationId }) => operationId);
  expect(whole.toSorted()).toEqual(Object.keys(WHOLE_BODY).toSorted());
});

test('what a contract names is there in the body', () => {
  const named = operations.filter(({ fingerprint }) => fingerprint);
  expect(named.length).toBeGreaterThan(3);
  for (const { operationId, fingerprint = [], body } of named) {
    const members = body instanceof z.ZodObject ? Object.keys(body.shape) : [];
    expect([operationId, members]).toEqual([operationId, expect.arrayContaining([...fingerprint])]);
  }
});

test('what people send is compared whole', () => {
  const weaker = operations.filter(({ access, fingerprint }) => access !== 'service' && fingerprint);
  expect(weaker.map(({ operationId }) => operationId)).toEqual([]);
});

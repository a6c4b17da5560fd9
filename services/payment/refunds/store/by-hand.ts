import { and, eq, isNull, or } from 'drizzle-orm';
import { type Database, type Transaction, theOnly } from '../../../../db/client';
import { payments, refunds } from '../../../../db/schema/payment';
import type { Subject } from '../../../../kernel/payment-subject';
import { participants } from '../../../../platform/event-schema';
import { type UndoRequest, undoOnce } from '../../../../platform/idempotency';
import { uuidv7 } from '../../../../platform/ids';
import { appendEvent } from '../../../../platform/outbox';
import { done } from '../../../../platform/replies';
import { isFor, lockPayment, type PaymentRow } from '../../charges/store/payments';
import type { SettledByHand, SettledStep } from '../../contract';
import { paymentEvents } from '../../events';
import { isPromised, shareOf } from '../rules';
import { postGivenUp, postOwed } from './owed';
import {
  changeRefund,
  insertRefund,
  isToldOtherwise,
  lockRefund,
  type RefundAndPayment,
  type RefundRow,
  tellRefunds,
} from './refunds';

// What an operator says of money that no retry could move.

type As = SettledByHand['as'];

/** The reason of a refund for which no person gave one. */
const BY_HAND = 'Settled by hand before it was recorded';

/** Gives a refund up that Stripe has not got: it has failed, its amount is free again, and its payer is owed it no longer. @throws ProblemError not_found */
export async function giveUpRefund(db: Database, id: string, as: As): Promise<RefundAndPayment> {
  return db.transaction(async (tx) => {
    const { refund, payment } = await lockRefund(tx, id);
    return giveUp(tx, payment, refund, as);
  });
}

/**
 * Gives up what a saga has reserved of a payment for refunds that Stripe has not got, or was to reserve: `percent` of what is left. What
 * people asked for has sagas of its own. Under the undo's key: a step that arrives late reserves nothing any more. Does nothing where there
 * is no such payment. `payment`: by its own id, or by what it is for.
 */
export async function settleByHand(
  db: Database,
  request: UndoRequest,
  payment: { id: string } | Subject,
  { as, percent = 0 }: SettledStep,
): Promise<void> {
  const which = 'kind' in payment ? isFor(payment) : eq(payments.id, payment.id);
  await undoOnce(db, request, async (tx) => {
    const [found] = await tx.select({ id: payments.id }).from(payments).where(which);
    if (!found) return done;
    let locked = await lockPayment(tx, found.id);
    for (const refund of await unmadeBySagas(tx, found.id)) locked = (await giveUp(tx, locked, refund, as)).payment;
    const amount = (await hasOneOfSaga(tx, found.id)) ? 0 : shareOf(locked, percent);
    if (amount === 0) return done;
    const details = { id: uuidv7(), origin: 'request', amount, reason: BY_HAND, requestedBy: null } as const;
    const promised = await insertRefund(tx, locked, details);
    await giveUp(tx, promised.payment, promised.refund, as);
    return done;
  });
}

/** Whether a saga has recorded a refund of a payment: its share is in there, whatever became of it. */
async function hasOneOfSaga(tx: Transaction, paymentId: string): Promise<boolean> {
  const bySaga = and(eq(refunds.paymentId, paymentId), eq(refunds.origin, 'request'), isNull(refunds.requestedBy));
  return (await tx.select({ id: refunds.id }).from(refunds).where(bySaga).limit(1)).length > 0;
}

async function unmadeBySagas(tx: Transaction, paymentId: string): Promise<RefundRow[]> {
  const bySaga = or(eq(refunds.origin, 'settlement'), isNull(refunds.requestedBy));
  const unmade = and(eq(refunds.status, 'pending'), isNull(refunds.stripeRefundId));
  return tx
    .select()
    .from(refunds)
    .where(and(eq(refunds.paymentId, paymentId), bySaga, unmade))
    .for('update');
}

async function giveUp(tx: Transaction, payment: PaymentRow, refund: RefundRow, as: As): Promise<RefundAndPayment> {
  const isAtStripe = refund.status === 'pending' && refund.stripeRefundId !== null;
  if (isAtStripe || !isPromised(refund)) return { refund, payment };
  const { id: refundId, paymentId } = refund;
  const participantIds = participants(payment.payerId, payment.payeeId);
  await appendEvent(tx, paymentEvents, {
    streamId: refundId,
    type: 'RefundSettledByHand',
    data: { refundId, paymentId, participantIds, as },
  });
  // One that the code of before reserved is owed nothing in the ledger yet.
  await postOwed(tx, payment, refundId);
  const given = await changeRefund(tx, payment, refund, {
    status: 'failed',
    closedAs: 'failed',
    // What the bank said of it stays.
    ...(refund.status === 'pending' && { failureCode: as }),
  });
  await postGivenUp(tx, given.payment, refundId, as);
  return given;
}

/**
 * Notes that a refund's state `as` has been seen to, unless it is another by now; of a success its payer has been told. A failure
 * that is owed still is let go by an operator who said no more of it, as those of sagas of before did not.
 * @throws ProblemError not_found
 */
export async function closeRefund(db: Database, id: string, as: 'succeeded' | 'failed'): Promise<RefundAndPayment> {
  return db.transaction(async (tx) => {
    const { refund, payment } = await lockRefund(tx, id);
    if (as === 'failed' && refund.status === as && isPromised(refund)) return giveUp(tx, payment, refund, 'waived');
    const seen = refund.status === as ? { closedAs: as } : {};
    const told = as === 'succeeded' ? { toldTry: refund.tries } : {};
    const patch = { ...seen, ...told };
    if (Object.keys(patch).length === 0) return { refund, payment };
    const closed = theOnly(await tx.update(refunds).set(patch).where(eq(refunds.id, id)).returning());
    if (isToldOtherwise(refund, closed)) await tellRefunds(tx, 'RefundChanged', [closed], payment);
    return { refund: closed, payment };
  });
}

import { and, eq, isNotNull } from 'drizzle-orm';
import type { Database, Transaction } from '../../../../db/client';
import { refunds } from '../../../../db/schema/payment';
import { ProblemError } from '../../../../kernel/errors';
import type { Money } from '../../../../kernel/money';
import { recordAct, requireActReason } from '../../../../platform/audit';
import {
  type Claim,
  type ClientRequest,
  claimKey,
  type KeyedRequest,
  once,
  storeRefusal,
} from '../../../../platform/idempotency';
import { uuidv7 } from '../../../../platform/ids';
import { created, ok } from '../../../../platform/replies';
import { type Claimed, LEASE_SECONDS } from '../../../../platform/saga-request';
import { maySee } from '../../charges/rules';
import { lockPayment, type PaymentRow } from '../../charges/store/payments';
import type { CreateRefund, RefundedShare, RefundShare, RefundState, RequestRefund } from '../../contract';
import { MOST_REFUNDS, mayRefund, refundAmount, refundable, refundStateOf, shareOf } from '../rules';
import { insertRefund } from './refunds';

/** Records a refund for a saga and reserves its amount. @throws ProblemError not_found, invalid_state, refund_exceeds_payment, validation_failed, and those of `once` */
export async function createRefund(
  db: Database,
  request: KeyedRequest,
  paymentId: string,
  wanted: CreateRefund,
): Promise<RefundState> {
  const reply = await once(db, request, async (tx) => {
    const payment = await lockPayment(tx, paymentId);
    const amount = allowed(payment, wanted.amount);
    const { reason, requestedBy } = wanted;
    const made = await insertRefund(tx, payment, { id: uuidv7(), origin: 'request', amount, reason, requestedBy });
    return created(refundStateOf(made.refund, made.payment));
  });
  return reply.body;
}

/**
 * Records the refund of a share of what is left of a payment, for a saga, and reserves its amount. A share that comes to nothing makes none.
 * @throws ProblemError not_found, and those of `once`
 */
export async function refundShare(
  db: Database,
  request: KeyedRequest,
  paymentId: string,
  { percent, reason, requestedBy }: RefundShare,
): Promise<RefundedShare> {
  const reply = await once(db, request, async (tx) => {
    const payment = await lockPayment(tx, paymentId);
    const amount = shareOf(payment, percent);
    const details = { id: uuidv7(), origin: 'request', amount, reason, requestedBy } as const;
    const made = amount > 0 ? await insertRefund(tx, payment, details) : { refund: null, payment };
    const { currency } = payment;
    const retained = { amount: refundable(made.payment), currency };
    return ok({ refundId: made.refund?.id ?? null, amount: { amount, currency }, retained });
  });
  return reply.body;
}

/**
 * Records a person's refund together with their idempotency key, before its saga is started. That it is refused (its amount,
 * payment_disputed or too_many_refunds) is stored under the key too, so that the same request gets the same answer.
 * @throws ProblemError not_found, forbidden, validation_failed, and those of `claimKey`
 */
export async function requestRefund(
  db: Database,
  request: ClientRequest,
  user: { id: string; role: string },
  paymentId: string,
  wanted: RequestRefund,
): Promise<Claimed<Extract<Claim, { kind: 'run' }>>> {
  return db.transaction(async (tx) => {
    const payment = await lockPayment(tx, paymentId);
    if (!maySee(payment, user)) throw new ProblemError('not_found');
    if (!mayRefund(payment, user)) throw new ProblemError('forbidden', 'Only the payee or an admin can refund');
    // A payee gives back what is theirs, whatever else they are.
    const isAct = user.id !== payment.payeeId;
    if (isAct) requireActReason(wanted.reason);
    const claim = await claimKey(tx, request, uuidv7(), LEASE_SECONDS);
    if (claim.kind === 'replay' || !claim.first) return claim;
    try {
      if (user.role !== 'admin') await requireFewRefunds(tx, payment);
      if (payment.disputed > 0) throw new ProblemError('payment_disputed');
      const amount = allowed(payment, wanted.amount ?? null);
      const { reason } = wanted;
      const details = { id: claim.resourceId, origin: 'request' as const, amount, reason, requestedBy: user.id };
      await insertRefund(tx, payment, details);
      if (isAct) {
        const before = { captured: payment.captured, refundable: refundable(payment), currency: payment.currency };
        await recordAct(tx, {
          ...{ adminId: user.id, act: 'refund_requested', subject: { type: 'payment', id: payment.id }, reason },
          ...{ before, after: { refundId: claim.resourceId, amount } },
        });
      }
      return claim;
    } catch (error) {
      if (!(error instanceof ProblemError) || error.status !== 409) throw error;
      await storeRefusal(tx, request, error);
      return { kind: 'refused', problem: error };
    }
  });
}

/** Counts what people have asked for, under the payment's lock. @throws ProblemError too_many_refunds */
async function requireFewRefunds(tx: Transaction, { id }: PaymentRow): Promise<void> {
  const asked = await tx
    .select({ id: refunds.id })
    .from(refunds)
    .where(and(eq(refunds.paymentId, id), isNotNull(refunds.requestedBy)))
    .limit(MOST_REFUNDS);
  if (asked.length === MOST_REFUNDS) throw new ProblemError('too_many_refunds');
}

/** The amount of a new refund. @throws ProblemError invalid_state, refund_exceeds_payment, validation_failed */
function allowed(payment: PaymentRow, asked: Money | null): number {
  const amount = refundAmount(payment, asked);
  if (typeof amount === 'number') return amount;
  if (typeof amount === 'object') throw new ProblemError('validation_failed', undefined, { errors: [amount] });
  throw new ProblemError(amount, amount === 'invalid_state' ? 'No money has been taken yet' : undefined);
}

import { and, eq, isNull } from 'drizzle-orm';
import type { Database, Transaction } from '../../../../db/client';
import { payments } from '../../../../db/schema/payment';
import { ProblemError } from '../../../../kernel/errors';
import { chargeFault, type Money } from '../../../../kernel/money';
import { type Claim, claimKey, isAbandoned, type KeyedRequest } from '../../../../platform/idempotency';
import { uuidv7 } from '../../../../platform/ids';
import { CLIENT_GONE_SECONDS, LEASE_SECONDS } from '../../../../platform/saga-request';
import { connectedAccountOf } from '../../accounts/store';
import type { CreatePayment } from '../../contract';
import type { Till } from '../../till';
import { changePayment, insertPayment } from './payments';

/**
 * Stores a direct payment together with its idempotency key, before its saga is started.
 * @throws ProblemError of `claimKey`; validation_failed when the payee cannot be paid, or the amount cannot be charged
 */
export async function requestPayment(
  db: Database,
  request: KeyedRequest,
  payerId: string,
  wanted: CreatePayment,
  { feePercent, settling }: Pick<Till, 'feePercent' | 'settling'>,
): Promise<Claim> {
  return db.transaction(async (tx) => {
    const id = uuidv7();
    const claim = await claimKey(tx, request, id, LEASE_SECONDS);
    if (claim.kind === 'replay' || !claim.first) return claim;
    requireChargeable(wanted.amount, settling);
    await requirePayee(tx, wanted.payeeId, payerId);
    const { payeeId, amount, paymentMethodId, description } = wanted;
    const subject = { kind: 'direct' as const, id };
    const card = { capture: 'automatic' as const, paymentMethodId };
    await insertPayment(tx, { id, subject, payerId, payeeId, ...amount, ...card, description }, feePercent);
    return claim;
  });
}

/**
 * Refuses direct payments whose saga never began and for which nobody waits any more: they have failed, and nothing was ever asked of Stripe. A saga
 * that begins at this very moment, or later, waits for the row's lock or finds the payment settled.
 * @returns how many
 */
export async function refuseAbandonedPayments(db: Database, atMost: number): Promise<number> {
  return db.transaction(async (tx) => {
    const abandoned = await tx
      .select()
      .from(payments)
      .where(
        and(
          isNull(payments.sagaStartedAt),
          eq(payments.subjectKind, 'direct'),
          eq(payments.status, 'pending'),
          isAbandoned({ ...payments, ownerId: payments.payerId }, CLIENT_GONE_SECONDS),
        ),
      )
      .orderBy(payments.createdAt)
      .limit(atMost)
      .for('update', { skipLocked: true });
    for (const payment of abandoned)
      await changePayment(tx, payment, { status: 'failed', refusal: 'request_expired', settledAt: new Date() });
    return abandoned.length;
  });
}

/** @throws ProblemError validation_failed for an amount that Stripe does not charge, or that would settle in another currency */
function requireChargeable(amount: Money, settling: readonly string[]): void {
  const fault = chargeFault(amount, settling);
  if (!fault) return;
  const errors = [{ path: `amount.${fault.field}`, message: fault.message }];
  throw new ProblemError('validation_failed', undefined, { errors });
}

/** @throws ProblemError validation_failed unless the payee is a tutor, who has an account to be paid out to, and somebody else */
async function requirePayee(tx: Transaction, payeeId: string, payerId: string): Promise<void> {
  if (payeeId !== payerId && (await connectedAccountOf(tx, payeeId)) !== null) return;
  const message = payeeId === payerId ? 'must be somebody else' : 'is nobody who can be paid';
  throw new ProblemError('validation_failed', undefined, { errors: [{ path: 'payeeId', message }] });
}

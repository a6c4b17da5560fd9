import { and, eq, isNotNull, isNull } from 'drizzle-orm';
import type { Database, Transaction } from '../../../../db/client';
import { stripeAccounts } from '../../../../db/schema/payment';
import { ProblemError } from '../../../../kernel/errors';
import { type Claim, claimKey, type KeyedRequest } from '../../../../platform/idempotency';
import { uuidv7 } from '../../../../platform/ids';
import { LEASE_SECONDS } from '../../../../platform/saga-request';
import type { CreatePayment } from '../../contract';
import { insertPayment } from './payments';

/**
 * Stores a direct payment together with its idempotency key, before its saga is started. `feePercent` is the platform's share.
 * @throws ProblemError of `claimKey`; validation_failed when the payee cannot be paid
 */
export async function requestPayment(
  db: Database,
  request: KeyedRequest,
  payerId: string,
  wanted: CreatePayment,
  feePercent: number,
): Promise<Claim> {
  return db.transaction(async (tx) => {
    const id = uuidv7();
    const claim = await claimKey(tx, request, id, LEASE_SECONDS);
    if (claim.kind === 'replay' || !claim.first) return claim;
    await requirePayee(tx, wanted.payeeId, payerId);
    const { payeeId, amount, paymentMethodId, description } = wanted;
    const values = { id, payerId, payeeId, capture: 'automatic' as const, ...amount, paymentMethodId, description };
    await insertPayment(tx, values, feePercent);
    return claim;
  });
}

/** @throws ProblemError validation_failed unless the payee is somebody else who is known here */
async function requirePayee(tx: Transaction, payeeId: string, payerId: string): Promise<void> {
  const [payee] = await tx
    .select({ id: stripeAccounts.userId })
    .from(stripeAccounts)
    .where(
      and(eq(stripeAccounts.userId, payeeId), isNotNull(stripeAccounts.stripeId), isNull(stripeAccounts.removedAt)),
    );
  if (payee && payeeId !== payerId) return;
  const message = payeeId === payerId ? 'must be somebody else' : 'is nobody who can be paid';
  throw new ProblemError('validation_failed', undefined, { errors: [{ path: 'payeeId', message }] });
}

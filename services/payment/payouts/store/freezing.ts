import { and, eq } from 'drizzle-orm';
import type { Database } from '../../../../db/client';
import { payees } from '../../../../db/schema/payment';
import { type KeyedRequest, once } from '../../../../platform/idempotency';
import { lockPayee } from '../../earnings/store';

// Payees who are suspended: what they earn becomes payable as always, and no payout of it begins.

/** Saga step: no payout of this payee begins for as long as the suspension lasts. What has begun goes on. */
export async function freezePayouts(
  db: Database,
  request: KeyedRequest,
  { userId, suspensionId }: { userId: string; suspensionId: string },
): Promise<void> {
  await once(db, request, async (tx) => {
    await lockPayee(tx, userId);
    await tx.update(payees).set({ frozenBy: suspensionId }).where(eq(payees.userId, userId));
    return { status: 204, body: undefined };
  });
}

/** Saga step: the suspension is over. A later one that began meanwhile goes on. */
export async function thawPayouts(
  db: Database,
  request: KeyedRequest,
  { userId, suspensionId }: { userId: string; suspensionId: string },
): Promise<void> {
  await once(db, request, async (tx) => {
    await tx
      .update(payees)
      .set({ frozenBy: null })
      .where(and(eq(payees.userId, userId), eq(payees.frozenBy, suspensionId)));
    return { status: 204, body: undefined };
  });
}

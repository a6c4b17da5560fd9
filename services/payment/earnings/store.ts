import { eq, sql } from 'drizzle-orm';
import type { Database } from '../../../db/client';
import { payments } from '../../../db/schema/payment';
import { ProblemError } from '../../../kernel/errors';
import { type KeyedRequest, once } from '../../../platform/idempotency';
import { appendEvent } from '../../../platform/outbox';
import { ok } from '../../../platform/replies';
import { bookingIdOf } from '../charges/rules';
import { lockPayment } from '../charges/store/payments';
import type { EarningsReleased } from '../contract';
import { releaseEntries, tutorPayable } from '../ledger/rules';
import { entriesOf, post, standingOf } from '../ledger/store';
import { postOwed } from '../refunds/store/owed';

/**
 * Moves what is left of the tutor's pending earnings of a payment to payable, once: their part of what is not owed to the payer. @throws ProblemError not_found, invalid_state, and those of `once`
 */
export async function releaseEarnings(db: Database, request: KeyedRequest, id: string): Promise<EarningsReleased> {
  const reply = await once(db, request, async (tx) => {
    const row = await lockPayment(tx, id);
    if (row.captured === 0) throw new ProblemError('invalid_state', 'No money has been taken yet');
    const { currency, payeeId } = row;
    const posting = { paymentId: id, kind: 'release' as const, reference: id, currency };
    if (!row.releasedAt) {
      await postOwed(tx, row, id);
      const { pending } = await standingOf(tx, id, payeeId);
      await post(tx, { ...posting, entries: releaseEntries(pending, payeeId) });
      await tx.update(payments).set({ releasedAt: sql`now()` }).where(eq(payments.id, id));
      const data = { paymentId: id, bookingId: bookingIdOf(row), payeeId, released: { amount: pending, currency } };
      await appendEvent(tx, { streamId: id, type: 'EarningsReleased', data });
    }
    const entries = await entriesOf(tx, posting);
    const credit = entries.find(({ account }) => account === tutorPayable(payeeId))?.amount ?? 0;
    return ok({ paymentId: id, released: { amount: Math.abs(credit), currency } });
  });
  return reply.body;
}

import { and, eq, gt, not, sql } from 'drizzle-orm';
import type { Database } from '../../../../db/client';
import { payments, refunds } from '../../../../db/schema/payment';
import { changePayment } from '../../charges/store/payments';
import { payerOwed, STRIPE_BALANCE } from '../../ledger/rules';
import { countRefunds, isOwed, postOwed } from './owed';
import { lockRefund } from './refunds';

// What the code of before, which may run beside this one for a while, has left out of the ledger.

/** Posts what payers are owed for failed refunds of before, out of what tutor and platform got back of them. */
export async function postWhatFailedBefore(db: Database, atMost: number): Promise<void> {
  for (const id of await unpostedRefunds(db, atMost)) {
    await db.transaction(async (tx) => {
      const { payment } = await lockRefund(tx, id);
      const counts = await countRefunds(tx, payment);
      const isRight = counts.refundPending === payment.refundPending;
      await postOwed(tx, isRight ? payment : await changePayment(tx, payment, counts), id);
    });
  }
}

/** What the ledger has posted to a payment's `payer_owed`, and what it says was sent to the payer. */
const posted = sql`(select coalesce(-sum(e.amount), 0) from ledger_entries e join ledger_transactions t on t.id = e.transaction_id
  where t.payment_id = ${payments.id} and (e.account = ${payerOwed('')} || t.payment_id
    or e.account = ${STRIPE_BALANCE} and t.kind in ('refund', 'refund_reversal')))`;

const due = sql`(select least(sum(${refunds.amount}), ${payments.captured}) from ${refunds}
  where ${refunds.paymentId} = ${payments.id} and (${refunds.status} = 'succeeded' or ${isOwed}))`;

/**
 * Failed refunds that the ledger says nothing of, though their payers are owed them: the code of before gave what failed back to tutor
 * and platform. The oldest first, `atMost` so many.
 */
async function unpostedRefunds(db: Database, atMost: number): Promise<string[]> {
  const isPosted = sql`exists (select from ledger_transactions t
    where t.payment_id = ${payments.id} and t.kind = 'refund_owed' and t.reference = ${refunds.id}::text)`;
  const rows = await db
    .select({ id: refunds.id })
    .from(refunds)
    .innerJoin(payments, eq(payments.id, refunds.paymentId))
    // The first line stands as it does in the index.
    .where(
      and(
        sql`${refunds.status} = 'failed' and ${refunds.closedAs} is distinct from 'failed'`,
        isOwed,
        not(isPosted),
        gt(due, posted),
      ),
    )
    .orderBy(refunds.id)
    .limit(atMost);
  return rows.map(({ id }) => id);
}

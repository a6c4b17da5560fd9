import { eq, type SQL, sql } from 'drizzle-orm';
import { type Transaction, theOnly } from '../../../../db/client';
import { refunds } from '../../../../db/schema/payment';
import type { Settlement } from '../../../../kernel/saga-type';
import { feeOf } from '../../charges/rules';
import type { PaymentRow } from '../../charges/store/payments';
import { givenUpEntries, owedEntries } from '../../ledger/rules';
import { post, standingOf } from '../../ledger/store';
import { REFUNDED_OTHERWISE } from '../rules';

// What a payer is owed. It follows from the payment's refunds and from what the ledger says has left for the payer: whatever is posted
// here is the difference between the two under the payment's lock, so it comes right whoever wrote the refunds.

/** `isPromised` of the rules, as a condition on the table of refunds. */
export const isOwed = sql`(${refunds.status} = 'pending' or (${refunds.status} = 'failed'
  and ${refunds.closedAs} is distinct from 'failed' and ${refunds.failureCode} is distinct from ${REFUNDED_OTHERWISE}))`;

const sumOf = (condition: SQL) => sql`coalesce(sum(${refunds.amount}) filter (where ${condition}), 0)`.mapWith(Number);

/**
 * What the refunds of a locked payment come to: what is through, and what is promised beside it. Of refunds of before that promised
 * one amount twice no more is owed than was captured.
 */
export async function countRefunds(
  tx: Transaction,
  { id, captured, chargedBack }: PaymentRow,
): Promise<{ refunded: number; refundPending: number }> {
  const counted = await tx
    .select({ refunded: sumOf(sql`${refunds.status} = 'succeeded'`), promised: sumOf(isOwed) })
    .from(refunds)
    .where(eq(refunds.paymentId, id));
  const { refunded, promised } = theOnly(counted);
  return { refunded, refundPending: Math.max(0, Math.min(promised, captured - refunded - chargedBack)) };
}

/**
 * Takes what a locked payment's payer is owed, and the ledger does not say yet, from its shares. As long as a bank has its money, what is due
 * is not known: it is posted once that is decided.
 */
export async function postOwed(tx: Transaction, payment: PaymentRow, reference: string): Promise<void> {
  if (payment.disputed > 0) return;
  const { id, payeeId: tutorId, captured, currency } = payment;
  const { owed, ...shares } = await standingOf(tx, id, tutorId);
  const missing = (await dueOf(tx, payment, shares.sent)) - owed;
  const amount = Math.min(missing, shares.pending + shares.payable + shares.revenue);
  if (amount <= 0) return;
  const entries = owedEntries(amount, { id, currency, captured, fee: feeOf(payment), tutorId }, shares);
  await post(tx, payment, { paymentId: id, kind: 'refund_owed', reference, currency, entries });
}

/** Posts out, by the name that an operator gave it, what a locked payment's payer is owed no longer. */
export async function postGivenUp(
  tx: Transaction,
  payment: PaymentRow,
  reference: string,
  as: Settlement,
): Promise<void> {
  const { id, payeeId, currency } = payment;
  const { owed, sent } = await standingOf(tx, id, payeeId);
  const surplus = owed - Math.max(0, await dueOf(tx, payment, sent));
  if (surplus > 0)
    await post(tx, payment, { paymentId: id, kind: as, reference, currency, entries: givenUpEntries(surplus, id) });
}

/** What a payer is to have and has not been sent. Below zero while money that a bank returned is on its way back to Stripe. */
export async function dueOf(tx: Transaction, payment: PaymentRow, sent: number): Promise<number> {
  const { refunded, refundPending } = await countRefunds(tx, payment);
  return refunded + refundPending - sent;
}

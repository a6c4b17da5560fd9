import { moneyAtStripe } from '../../dev/chaos/stripe-state';
import type { SagaStack } from './saga-stack';
import type { TestService } from './service';
import type { Asked } from './undo';

// What is left of money once its step is undone.

/** What is taken or reserved at Stripe and was not given back, and what the books say of it. */
export async function moneyLeft(
  { atStripe, payment: { database } }: SagaStack,
  id: string,
  of: 'bookingId' | 'paymentId',
  payeeId: string,
): Promise<unknown[]> {
  const { intents, captured, refunded, reserved } = moneyAtStripe(await atStripe(), id, of);
  const open = intents.filter((status) => status !== 'canceled' && status !== 'succeeded');
  const books = await database.sql`select account, sum(amount)::int as amount from ledger_entries
    where account like ${`%:${payeeId}`} group by account having sum(amount) <> 0`;
  return [...open, ...books, ...(captured === refunded && reserved === 0 ? [] : [{ captured, refunded, reserved }])];
}

/** A refund of all, and an operator who says that it is waived. */
export function refundOf({ database: { sql } }: TestService, paymentId: string, params: Asked['params'] = {}) {
  return {
    does: { params: { id: paymentId }, body: { amount: null, reason: 'Booking cancelled', requestedBy: null } },
    undoes: { params, body: { as: 'waived' } },
    left: async () => [
      ...(await sql`select refund_pending from payments where id = ${paymentId} and refund_pending > 0`),
      ...(await sql`select status from refunds where payment_id = ${paymentId} and status = 'pending'`),
      ...(await sql`select sum(amount) from ledger_entries where account = ${`payer_owed:${paymentId}`} having sum(amount) <> 0`),
    ],
  };
}

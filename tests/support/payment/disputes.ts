import type { Reply } from '../service';
import { type Paid, refundsAt } from './refunds';
import type { PaymentStack } from './stack';

/** What a bank is asked to do, in the sandbox. */
type Verdict = { to: 'won'; reinstated?: number } | { to: 'lost' | 'escalated' | 'closed' };

/** A dispute as the sandbox has it. */
interface AtStripe {
  id: string;
  status: string;
}

/** How holders of cards dispute payments, what their banks say, and what is recorded of it. */
export function disputesAt(stackOf: () => PaymentStack) {
  const { paid } = refundsAt(stackOf);
  const sql = () => stackOf().service.database.sql;

  const intentOf = async (paymentId: string): Promise<string> => {
    const [row] = await sql()`select stripe_intent_id as id from payments where id = ${paymentId}`;
    return String(row?.id);
  };

  /** The holder of the card disputes a payment, of which no webhook tells. */
  async function dispute(paymentId: string, asked: Record<string, unknown> = {}): Promise<AtStripe> {
    const { latest_charge: charge } = await stackOf().stripe.paymentIntents.retrieve(await intentOf(paymentId));
    return (await stackOf().control('POST', '/disputes', { charge, ...asked })).body;
  }

  const bank = async (stripeId: string, verdict: Verdict): Promise<AtStripe> =>
    (await stackOf().control('POST', `/disputes/${stripeId}`, verdict)).body;

  /** Evidence that is read and decides nothing: the dispute is under review until the bank is told what to say. */
  const answered = (stripeId: string) =>
    stackOf().stripe.disputes.update(stripeId, { evidence: { uncategorized_text: 'It took place' } });

  /** Looks for disputes as the night does, all pages. */
  async function find(): Promise<{ seen: number; found: number; failed: number }> {
    const sums = { seen: 0, found: 0, failed: 0 };
    for (let after: string | null = null; ; ) {
      const { status, body }: Reply = await stackOf().post('/disputes/find', undefined, { after });
      expect(status).toBe(200);
      for (const name of ['seen', 'found', 'failed'] as const) sums[name] += body[name];
      if (body.next === null) return sums;
      after = body.next;
    }
  }

  /** What is stored of a payment's disputes, the oldest first. */
  const stored = (paymentId: string) =>
    sql()<{ id: string; stripe_dispute_id: string; status: string; version: number; withdrawn: string }[]>`
      select * from disputes where payment_id = ${paymentId} order by opened_at, id`;

  const look = (id: string) => stackOf().post(`/disputes/${id}/look`);

  /** A payment that is disputed, as it is recorded. */
  async function disputed(
    payment: Pick<Paid, 'paymentId'>,
    asked: Record<string, unknown> = {},
  ): Promise<{ id: string; stripeId: string }> {
    const { id: stripeId } = await dispute(payment.paymentId, asked);
    await find();
    const rows = await stored(payment.paymentId);
    const row = rows.find(({ stripe_dispute_id: known }) => known === stripeId);
    return { id: String(row?.id), stripeId };
  }

  /** Where a payment's money is, by the ledger: what a dispute has taken counts to it. */
  async function standing({
    paymentId,
    payeeId,
  }: Pick<Paid, 'paymentId' | 'payeeId'>): Promise<Record<string, number>> {
    const rows = await sql()<{ account: string; amount: number }[]>`
      select account, -sum(amount)::int as amount from ledger_entries e join ledger_transactions t on t.id = e.transaction_id
      where (t.payment_id = ${paymentId} or t.dispute_id in (select id from disputes where payment_id = ${paymentId}))
        and t.kind <> 'stripe_fee' and account <> 'stripe_balance'
      group by account having sum(amount) <> 0 order by account`;
    const named = (account: string) => account.replace(`:${payeeId}`, '').replace(`:${paymentId}`, '');
    return Object.fromEntries(rows.map(({ account, amount }) => [named(account), amount]));
  }

  return { paid, dispute, bank, answered, find, stored, look, disputed, standing };
}

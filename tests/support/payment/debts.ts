import type { Reply } from '../service';
import { type Payee, payoutsAt } from './payouts';
import { refundsAt } from './refunds';
import type { PaymentStack } from './stack';

/** What a page of the day's debts came to, all pages together. */
interface Opened {
  opened: number;
  open: number;
  failed: number;
}

/** How payees come to owe, and what becomes of it. */
export function debtsAt(stackOf: () => PaymentStack) {
  const { payee, earned, opened } = payoutsAt(stackOf);
  const { refunded } = refundsAt(stackOf);
  const sql = () => stackOf().service.database.sql;

  /** Somebody whose payout has taken all that they earned, 85 % of each of `charged`. @returns the payments too */
  async function paidOut(charged: readonly number[], currency = 'EUR'): Promise<{ who: Payee; payments: string[] }> {
    const who = await payee();
    const payments: string[] = [];
    for (const amount of charged) payments.push(await earned(who, amount, currency));
    await opened(who);
    return { who, payments };
  }

  const giveBack = (paymentId: string, amount: number | null = null) => refunded({ paymentId }, amount);

  /** Somebody who owes 85 % of `charged`: it was given back when they had been paid out. */
  async function debtor(charged = 30_000, currency = 'EUR'): Promise<Payee> {
    const { who, payments } = await paidOut([charged], currency);
    for (const payment of payments) await giveBack(payment);
    return who;
  }

  /** Lets all that has happened to a payee have happened so many days earlier. */
  async function age({ id }: Pick<Payee, 'id'>, days: number): Promise<void> {
    await sql().begin(async (tx) => {
      await tx`alter table ledger_transactions disable trigger ledger_transactions_append_only`;
      await tx`
        update ledger_transactions set posted_at = posted_at - make_interval(days => ${days})
        where id in (select transaction_id from ledger_entries where account = ${`tutor_payable:${id}`})`;
      await tx`alter table ledger_transactions enable trigger ledger_transactions_append_only`;
    });
  }

  /** Opens the day's debts page by page, as their workflow does. */
  async function openAll(): Promise<Opened> {
    const sums = { opened: 0, open: 0, failed: 0 };
    for (let after: string | null = null; ; ) {
      const { status, body }: Reply = await stackOf().post('/debts/open', undefined, { after });
      expect(status).toBe(200);
      sums.opened += body.opened;
      sums.open += body.open;
      sums.failed += body.failed;
      if (body.next === null) return sums;
      after = body.next;
    }
  }

  const at = ({ id }: Pick<Payee, 'id'>, currency: string) => `/payees/${id}/debts/${currency}`;
  const look = (who: Pick<Payee, 'id'>, currency = 'EUR') => stackOf().post(`${at(who, currency)}/look`);
  const settle = (who: Pick<Payee, 'id'>, debtId: string, as: 'paid_elsewhere' | 'waived', currency = 'EUR') =>
    stackOf().post(`${at(who, currency)}/settle`, `debt:${who.id}:${currency}/settle/${debtId}`, { debtId, as });

  /** What is stored of a payee's debts, the oldest first. */
  const stored = ({ id }: Pick<Payee, 'id'>) =>
    sql()<{ id: string; status: string; currency: string; amount: string; since: Date; closed_as: string | null }[]>`
      select id, status, currency, amount, since, closed_as from debts where payee_id = ${id} order by opened_at, currency`;

  /** What a payee has, below zero what they owe. */
  const payable = async ({ id }: Pick<Payee, 'id'>) => 0 - ((await stackOf().ledger())[`tutor_payable:${id}`] ?? 0);

  return { paidOut, giveBack, debtor, age, earned, openAll, look, settle, stored, payable };
}

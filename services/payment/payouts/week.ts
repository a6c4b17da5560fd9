import type { Sagas } from '../../../platform/temporal';
import { payoutSaga } from '../../../workflows/payout.api';
import { connectedAccountOf } from '../accounts/store';
import type { OpenWeek, WeekOpened } from '../contract';
import type { Till } from '../till';
import { bankFor } from './rules';
import { countPayable, latestPayout, listPayees, openWeekly } from './store/opening';

/** So many payees are looked at in one call. */
const PAGE = 100;

/**
 * Opens the payouts of a week for a page of payees and starts their sagas. Whoever has one of the week already, has one under way, is
 * payable too little or gave Stripe no other bank account after theirs refused is skipped.
 * @throws ProblemError rate_limited, upstream_unavailable: call again; who was done is skipped then
 */
export async function openWeek(till: Till, sagas: Sagas, { week, after }: OpenWeek): Promise<WeekOpened> {
  const { db, minimums } = till;
  const page = await listPayees(db, after, PAGE);
  const done = { opened: 0, skipped: 0 };
  for (const payeeId of page) {
    const account = await connectedAccountOf(db, payeeId);
    if (account === null) continue;
    for (const { currency } of await countPayable(db, payeeId, minimums)) {
      const refused = await isRefusedStill(till, account, payeeId, currency);
      const payout = refused ? undefined : await openWeekly(db, { payeeId, currency, week, minimums });
      if (!payout) {
        done.skipped += 1;
        continue;
      }
      await sagas.start(payoutSaga, { payoutId: payout.id, payeeId });
      done.opened += 1;
    }
  }
  return { ...done, next: page.length < PAGE ? null : (page.at(-1) ?? null) };
}

/** Whether the bank refused the payee's latest payout, and they have given Stripe no other account since: it would refuse again. */
async function isRefusedStill(
  { db, stripe }: Till,
  account: string,
  payeeId: string,
  currency: string,
): Promise<boolean> {
  const latest = await latestPayout(db, payeeId, currency);
  if (latest?.status !== 'failed' || latest.statusReason !== 'refused_by_bank') return false;
  return bankFor(currency, await stripe.listBankAccounts(account))?.id === latest.bankAccount;
}

import { asProblem } from '../../../platform/problem';
import type { Logger } from '../../../platform/telemetry';
import type { Sagas } from '../../../platform/temporal';
import { payoutSaga } from '../../../workflows/payout.api';
import { connectedAccountOf } from '../accounts/store';
import type { OpenWeek, WeekOpened } from '../contract';
import type { Till } from '../till';
import { bankFor } from './rules';
import { countPayable, latestPayout, listPayees, openWeekly } from './store/opening';

/** So many payees are looked at in one call. */
const PAGE = 100;
/** After so many turns that Stripe was asked in, or that failed, the page ends: each may have waited eight seconds, and a call has 25 (`client.ts`). */
const MOST_WAITS = 3;

/**
 * Opens the payouts of a week for a page of payees and starts their sagas. Whoever has one of the week already, has one under way, is
 * payable too little or gave Stripe no other bank account after theirs refused is skipped. For whom it fails is in `failed`, whatever it
 * was, and the others have their turn.
 * @throws what listing the payees fails with: call again; who was done is skipped then
 */
export async function openWeek(
  till: Till,
  sagas: Sagas,
  logger: Logger,
  { week, after }: OpenWeek,
): Promise<WeekOpened> {
  const page = await listPayees(till.db, after, PAGE);
  const counts = { opened: 0, skipped: 0 };
  const failed: WeekOpened['failed'] = [];
  let waits = 0;
  for (const payeeId of page) {
    const hasWaited = await takeTurn(till, sagas, { payeeId, week }, counts).catch((error: unknown) => {
      const { code } = asProblem(error);
      logger.error({ err: error, code, payeeId, week }, "a payee's payout of the week was not opened");
      failed.push({ payeeId, code });
      return true;
    });
    if (hasWaited) waits += 1;
    if (waits === MOST_WAITS) return { ...counts, failed, next: payeeId };
  }
  return { ...counts, failed, next: page.length < PAGE ? null : (page.at(-1) ?? null) };
}

/**
 * Opens a payee's payouts of a week and counts them, as far as it comes. Stripe is asked last: its silence holds up none of their other
 * currencies. @returns whether it was asked
 */
async function takeTurn(
  { db, stripe, minimums }: Till,
  sagas: Sagas,
  { payeeId, week }: { payeeId: string; week: string },
  counts: { opened: number; skipped: number },
): Promise<boolean> {
  const account = await connectedAccountOf(db, payeeId);
  if (account === null) return false;
  const open = async (currency: string) => {
    const payout = await openWeekly(db, { payeeId, currency, week, minimums });
    if (!payout) {
      counts.skipped += 1;
      return;
    }
    counts.opened += 1;
    await sagas.start(payoutSaga, { payoutId: payout.id, payeeId });
  };
  const refused: { currency: string; by: string | null }[] = [];
  for (const { currency } of await countPayable(db, payeeId, minimums)) {
    const latest = await latestPayout(db, payeeId, currency);
    if (latest?.status === 'failed' && latest.statusReason === 'refused_by_bank')
      refused.push({ currency, by: latest.bankAccount });
    else await open(currency);
  }
  if (refused.length === 0) return false;
  const banks = await stripe.listBankAccounts(account);
  for (const { currency, by } of refused) {
    // The same bank account would refuse again.
    if (bankFor(currency, banks)?.id === by) counts.skipped += 1;
    else await open(currency);
  }
  return true;
}

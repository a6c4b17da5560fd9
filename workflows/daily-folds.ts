import { proxyActivities } from '@temporalio/workflow';
import type { FoldActivities } from '../activities/folds';
import { UNTIL_DONE_DAYLONG } from './activity-options';
import type { DailyFoldsResult } from './daily-folds.api';

const act = proxyActivities<FoldActivities>(UNTIL_DONE_DAYLONG);

/** Rows of each context in one night: some thousands of events, read in less than a second. */
const CHECKED_OF_EACH = 1_000;
const SEEDS = 2 ** 31;

/**
 * One run of the Schedule `daily-folds`: see `docs/sagas/daily-folds.md`. What is found is told and never corrected. The history has the seeds, by
 * which the same rows can be looked at again.
 */
export async function dailyFolds(): Promise<DailyFoldsResult> {
  const check = () => ({ limit: CHECKED_OF_EACH, seed: Math.floor(Math.random() * SEEDS) });
  const ofBooking = await act.checkBookingFolds(check());
  const ofPayment = await act.checkPaymentFolds(check());
  return {
    checked: ofBooking.checked + ofPayment.checked,
    different: [...ofBooking.different, ...ofPayment.different],
  };
}

import { continueAsNew, proxyActivities, workflowInfo } from '@temporalio/workflow';
import type { PayoutActivities } from '../activities/payout';
import { weekOfRun } from '../kernel/week';
import { UNTIL_DONE_DAYLONG } from './activity-options';
import type { WeeklyPayoutsResult, WeeklyPayoutsSoFar } from './weekly-payouts.api';

const act = proxyActivities<PayoutActivities>(UNTIL_DONE_DAYLONG);

/**
 * One run of the Schedule `weekly-payouts`: see `docs/sagas/weekly-payouts.md`. A page of payees at a time, each in a run of its own, so
 * that no history grows. Whatever is repeated opens nobody's payout twice.
 */
export async function weeklyPayouts(soFar?: WeeklyPayoutsSoFar): Promise<WeeklyPayoutsResult> {
  const { week, after, opened, skipped } = soFar ?? { ...nothingYet(), after: null };
  const page = await act.openWeeklyPayouts({ week, after });
  const done = { week, opened: opened + page.opened, skipped: skipped + page.skipped };
  if (page.next === null) return done;
  return continueAsNew<typeof weeklyPayouts>({ ...done, after: page.next });
}

/** It may begin days after the time for which the Schedule meant it. One that somebody starts by hand is this week's. */
function nothingYet(): WeeklyPayoutsResult {
  return { week: weekOfRun(workflowInfo()), opened: 0, skipped: 0 };
}

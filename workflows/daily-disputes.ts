import { continueAsNew, proxyActivities } from '@temporalio/workflow';
import type { DisputeActivities } from '../activities/dispute';
import { UNTIL_DONE_DAYLONG } from './activity-options';
import type { DailyDisputesResult, DailyDisputesSoFar } from './daily-disputes.api';
import { refuse } from './failures';

const act = proxyActivities<DisputeActivities>(UNTIL_DONE_DAYLONG);

const NOTHING_YET = { seen: 0, found: 0, failed: 0, after: null };

/**
 * One run of the Schedule `daily-disputes`: see `docs/sagas/daily-disputes.md`. A page of disputes at a time, each in a run of its own, so that
 * no history grows. Whatever is repeated finds nothing twice.
 * @throws ApplicationFailure internal, after the last page, when some disputes could not be recorded: the next run tries again
 */
export async function dailyDisputes(soFar?: DailyDisputesSoFar): Promise<DailyDisputesResult> {
  const { after, ...before } = soFar ?? NOTHING_YET;
  const page = await act.findDisputes({ after });
  const seen = before.seen + page.seen;
  const found = before.found + page.found;
  const failed = before.failed + page.failed;
  if (page.next !== null) return continueAsNew<typeof dailyDisputes>({ seen, found, failed, after: page.next });
  if (failed > 0) throw refuse('internal', `${failed} disputes could not be recorded, as the log of payment says`);
  return { seen, found };
}

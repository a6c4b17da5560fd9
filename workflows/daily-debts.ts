import { continueAsNew, proxyActivities } from '@temporalio/workflow';
import type { DebtActivities } from '../activities/debt';
import { UNTIL_DONE_DAYLONG } from './activity-options';
import type { DailyDebtsResult, DailyDebtsSoFar } from './daily-debts.api';
import { refuse } from './failures';

const act = proxyActivities<DebtActivities>(UNTIL_DONE_DAYLONG);

const NOTHING_YET = { opened: 0, open: 0, failed: 0, after: null };

/**
 * One run of the Schedule `daily-debts`: see `docs/sagas/daily-debts.md`. A page of payees at a time, each in a run of its own, so that no
 * history grows. Whatever is repeated opens no debt twice.
 * @throws ApplicationFailure internal, after the last page, when some payees could not be looked at: the next run does so again
 */
export async function dailyDebts(soFar?: DailyDebtsSoFar): Promise<DailyDebtsResult> {
  const { after, ...before } = soFar ?? NOTHING_YET;
  const page = await act.openDebts({ after });
  const opened = before.opened + page.opened;
  const open = before.open + page.open;
  const failed = before.failed + page.failed;
  if (page.next !== null) return continueAsNew<typeof dailyDebts>({ opened, open, failed, after: page.next });
  if (failed > 0) throw refuse('internal', `${failed} payees could not be looked at, as the log of payment says`);
  return { opened, open };
}

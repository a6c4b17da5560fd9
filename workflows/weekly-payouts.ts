import {
  continueAsNew,
  proxyActivities,
  setCurrentDetails,
  sleep,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type { PayoutActivities } from '../activities/payout';
import { DAY, HOUR, MINUTE } from '../kernel/time';
import { weekOfRun } from '../kernel/week';
import { UNTIL_DONE_DAYLONG } from './activity-options';
import { SAGA_STATE } from './saga';
import type { WeeklyPayoutsResult, WeeklyPayoutsSoFar } from './weekly-payouts.api';

const act = proxyActivities<PayoutActivities>(UNTIL_DONE_DAYLONG);

/**
 * For whom it failed is asked for again after each of these pauses: at first for what passes by itself, then for what a person mends. In
 * the end the next week's run tries again.
 */
const PAUSES_MS = [MINUTE, 10 * MINUTE, HOUR, 6 * HOUR, DAY];
/** What has failed through the pauses below this one is an operator's to see. */
const ATTENTION_MS = HOUR;
/** So many are named in a result: each run hands them on to the next. */
const MOST_NAMED = 20;

/**
 * One run of the Schedule `weekly-payouts`: see `docs/sagas/weekly-payouts.md`. A page of payees at a time, each in a run of its own, so
 * that no history grows. For whom it fails holds up nobody: once all had their turn, all pages are gone through again. Whatever is repeated
 * opens nobody's payout twice.
 */
export async function weeklyPayouts(soFar?: WeeklyPayoutsSoFar): Promise<WeeklyPayoutsResult> {
  const { after, round, ...before } = soFar ?? { ...nothingYet(weekOfThisRun()), after: null, round: 0 };
  const { week } = before;
  const page = await act.openWeeklyPayouts({ week, after });
  const done: WeeklyPayoutsResult = {
    week,
    opened: before.opened + page.opened,
    skipped: before.skipped + page.skipped,
    failed: before.failed + page.failed.length,
    failures: [...before.failures, ...page.failed].slice(0, MOST_NAMED),
  };
  if (page.next !== null) return continueAsNew<typeof weeklyPayouts>({ ...done, after: page.next, round });
  const pause = PAUSES_MS[round];
  if (done.failed === 0 || pause === undefined) {
    if (round > 0) show('Completed', sentenceOf(done));
    return done;
  }
  if (pause >= ATTENTION_MS) show('NeedsAttention', `${sentenceOf(done)} They are tried again by themselves.`);
  await sleep(pause);
  return continueAsNew<typeof weeklyPayouts>({
    ...{ ...nothingYet(week), opened: done.opened },
    ...{ after: null, round: round + 1 },
  });
}

const nothingYet = (week: string): WeeklyPayoutsResult => ({ week, opened: 0, skipped: 0, failed: 0, failures: [] });

/** It may begin days after the time for which the Schedule meant it. One that somebody starts by hand is this week's. */
const weekOfThisRun = () => weekOfRun(workflowInfo());

/** What is told to operators, who see the run among the sagas. */
function show(state: 'NeedsAttention' | 'Completed', sentence: string): void {
  setCurrentDetails(`**${state}**\n\n${sentence}`);
  upsertSearchAttributes([{ key: SAGA_STATE, value: state }]);
}

function sentenceOf({ week, failed, failures }: WeeklyPayoutsResult): string {
  const named = failures.map(({ payeeId, code }) => `- ${payeeId}: ${code}`);
  return [`Payouts of ${week} could not be opened for ${failed} payees. Log lines of payment say why.`, ...named].join(
    '\n',
  );
}

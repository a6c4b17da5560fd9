import type { TaskQueue } from '../kernel/modules';
import type { ScheduledWorkflow } from '../kernel/saga-type';
import { DAY } from '../kernel/time';
import { PAYOUT_HOUR } from '../kernel/week';

/** What one run came to: shown as the workflow's result. */
export interface WeeklyPayoutsResult {
  week: string;
  opened: number;
  /** Who had theirs already, has one under way, or whose bank refused the last one. */
  skipped: number;
  /** For whom it could not be done, however often it was tried. */
  failed: number;
  /** The first of them, each with the code of its last try. */
  failures: { payeeId: string; code: string }[];
}

/** A run goes on as a new one after each page, and after the last one for whom it failed: how far it has come. `failed` and `skipped` are of this round. */
export interface WeeklyPayoutsSoFar extends WeeklyPayoutsResult {
  after: string | null;
  round: number;
}

export const weeklyPayoutsSchedule: ScheduledWorkflow = {
  scheduleId: 'weekly-payouts',
  workflowType: 'weeklyPayouts',
  taskQueue: 'core' satisfies TaskQueue,
  when: { dayOfWeek: 'MONDAY', hour: PAYOUT_HOUR },
  // A week that a server missed is made up for until the next one.
  catchUpMs: 7 * DAY,
  summary: "Opens the week's payouts",
};

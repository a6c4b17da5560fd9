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
}

/** A run goes on as a new one after each page: how far it has come. */
export interface WeeklyPayoutsSoFar extends WeeklyPayoutsResult {
  after: string;
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

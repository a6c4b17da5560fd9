import type { TaskQueue } from '../kernel/modules';
import type { ScheduledWorkflow } from '../kernel/saga-type';
import { DAY } from '../kernel/time';

/** What one run came to: shown as the workflow's result. */
export interface DailyDisputesResult {
  /** All that Stripe lists. */
  seen: number;
  /** Those that were news. */
  found: number;
}

/** A run goes on as a new one after each page: how far it has come. `failed`: disputes that could not be recorded. */
export interface DailyDisputesSoFar extends DailyDisputesResult {
  failed: number;
  after: string;
}

/** In UTC, when few people pay. */
const HOUR_OF_DISPUTES = 3;

export const dailyDisputesSchedule: ScheduledWorkflow = {
  scheduleId: 'daily-disputes',
  workflowType: 'dailyDisputes',
  taskQueue: 'core' satisfies TaskQueue,
  when: { hour: HOUR_OF_DISPUTES },
  // One run sees to everything, so that one at most is made up for.
  catchUpMs: DAY,
  summary: 'Finds disputes of which no webhook told',
};

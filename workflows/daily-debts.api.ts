import type { TaskQueue } from '../kernel/modules';
import type { ScheduledWorkflow } from '../kernel/saga-type';
import { DAY } from '../kernel/time';

/** What one run came to: shown as the workflow's result. */
export interface DailyDebtsResult {
  opened: number;
  /** All that are open, those of this run among them. */
  open: number;
}

/** A run goes on as a new one after each page: how far it has come. `failed`: payees who could not be looked at. */
export interface DailyDebtsSoFar extends DailyDebtsResult {
  failed: number;
  after: string;
}

/** In UTC, before an operator's day begins in most of Europe. */
const HOUR_OF_DEBTS = 5;

export const dailyDebtsSchedule: ScheduledWorkflow = {
  scheduleId: 'daily-debts',
  workflowType: 'dailyDebts',
  taskQueue: 'core' satisfies TaskQueue,
  when: { hour: HOUR_OF_DEBTS },
  // One run sees to everything, so that one at most is made up for.
  catchUpMs: DAY,
  summary: 'Shows operators what payees owe for long',
};

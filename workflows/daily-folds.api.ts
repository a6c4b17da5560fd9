import type { TaskQueue } from '../kernel/modules';
import type { ScheduledWorkflow } from '../kernel/saga-type';
import { DAY } from '../kernel/time';

/** What one run came to: shown as the workflow's result. */
export interface DailyFoldsResult {
  /** So many rows were held to their events. */
  checked: number;
  /** Those that are not what their events say, by the columns. */
  different: { kind: string; id: string; columns: string[] }[];
}

/** In UTC, when few people pay, and after the disputes of the night. */
const HOUR_OF_FOLDS = 4;

export const dailyFoldsSchedule: ScheduledWorkflow = {
  scheduleId: 'daily-folds',
  workflowType: 'dailyFolds',
  taskQueue: 'core' satisfies TaskQueue,
  when: { hour: HOUR_OF_FOLDS },
  // Each run looks at other rows, so that one at most is made up for.
  catchUpMs: DAY,
  summary: 'Holds random rows to what their events say',
};

import { ServiceError } from '@temporalio/client';
import { SWEEP_EVERY_MS, type SweepResult, sweepSchedule } from '../../workflows/sweep.api';
import { eventually, type TestPlatform } from './platform';

/** Lets the Schedule run now, and gives what its run came to. */
export async function sweepNow({ temporal }: TestPlatform): Promise<SweepResult> {
  const schedule = temporal.schedule.getHandle(sweepSchedule.scheduleId);
  const runsOf = async () =>
    (await schedule.describe()).info.recentActions.map(({ action }) => action.workflow.workflowId);
  const before = await runsOf();
  await schedule.trigger();
  // One that is running at this moment takes the place of the triggered one; then the next comes by itself.
  const run = await eventually(
    'the Schedule starts its workflow',
    async () => (await runsOf().catch(unanswered)).find((workflowId) => !before.includes(workflowId)),
    SWEEP_EVERY_MS + 30_000,
  );
  return temporal.workflow.getHandle(run).result();
}

/** A busy server may not answer in time: then it is asked again. */
function unanswered(error: unknown): string[] {
  if (error instanceof ServiceError) return [];
  throw error;
}

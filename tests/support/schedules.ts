import { ScheduleOverlapPolicy, ServiceError } from '@temporalio/client';
import type { ScheduledWorkflow } from '../../kernel/saga-type';
import { eventually, type TestPlatform } from './platform';

/** Lets a Schedule run now, and gives what its run came to. */
export async function runNow<Result>(
  { temporal }: Pick<TestPlatform, 'temporal'>,
  { scheduleId }: ScheduledWorkflow,
): Promise<Result> {
  const schedule = temporal.schedule.getHandle(scheduleId);
  const actions = async () => (await schedule.describe()).info.recentActions;
  const runsOf = async () => (await actions()).map(({ action }) => action.workflow.workflowId);
  const before = await runsOf();
  // Runs are named by the second: another one in the same would be none.
  const lastSecond = secondOf((await actions()).at(-1)?.takenAt ?? new Date(0));
  await eventually('the second of the last run is over', async () => secondOf(new Date()) > lastSecond);
  // After one that is running at this moment.
  await schedule.trigger(ScheduleOverlapPolicy.BUFFER_ONE);
  const run = await eventually(
    `the Schedule ${scheduleId} starts its workflow`,
    async () => (await runsOf().catch(unanswered)).find((workflowId) => !before.includes(workflowId)),
    30_000,
  );
  return temporal.workflow.getHandle(run).result();
}

const secondOf = (at: Date) => Math.floor(at.getTime() / 1_000);

/** A busy server may not answer in time: then it is asked again. */
function unanswered(error: unknown): string[] {
  if (error instanceof ServiceError) return [];
  throw error;
}

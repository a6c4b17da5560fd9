import { type Connection, ScheduleAlreadyRunning, ScheduleClient, ScheduleOverlapPolicy } from '@temporalio/client';
import type { ScheduledWorkflow } from '../kernel/saga-type';

/**
 * Makes a Temporal Schedule, or brings one that is there up to what is wanted. Whether it is paused stays as an operator left it.
 * @throws what the server refuses with
 */
export async function ensureSchedule(
  connection: Connection,
  namespace: string,
  wanted: ScheduledWorkflow,
): Promise<void> {
  const { scheduleId, workflowType, taskQueue, when, atOnce = false, atMostMs, catchUpMs, summary } = wanted;
  const schedules = new ScheduleClient({ connection, namespace });
  const options = {
    scheduleId,
    spec: 'everyMs' in when ? { intervals: [{ every: when.everyMs }] } : { calendars: [when] },
    action: {
      type: 'startWorkflow' as const,
      workflowType,
      taskQueue,
      workflowId: scheduleId,
      ...(atMostMs !== undefined && { workflowRunTimeout: atMostMs }),
      staticSummary: summary,
    },
    policies: {
      // A run that takes long does the work of the next one.
      overlap: ScheduleOverlapPolicy.SKIP,
      catchupWindow: catchUpMs,
    },
  };
  try {
    await schedules.create({ ...options, state: { triggerImmediately: atOnce } });
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    await schedules.getHandle(scheduleId).update(({ state }) => ({ ...options, state }));
  }
}

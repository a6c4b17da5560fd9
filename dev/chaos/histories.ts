import type { Client, WorkflowHandle } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import { z } from 'zod';

type History = Awaited<ReturnType<ReturnType<Client['workflow']['getHandle']>['fetchHistory']>>;
export type HistoryEvent = NonNullable<History['events']>[number];

export async function historyOf(temporal: Client, workflowId: string): Promise<HistoryEvent[]> {
  return (await temporal.workflow.getHandle(workflowId).fetchHistory()).events ?? [];
}

/** The ids of all workflows that run. */
export async function runningWorkflows(temporal: Client): Promise<Set<string>> {
  const running = new Set<string>();
  for await (const { workflowId } of temporal.workflow.list({ query: 'ExecutionStatus="Running"' }))
    running.add(workflowId);
  return running;
}

// What the SDK's core writes into a local activity's marker.
const localActivity = z.looseObject({ activity_type: z.string() });

/**
 * The activities that succeeded, in order: recorded ones by when they were scheduled, local ones by when they were
 * recorded. (The markers of attempts that failed are left out.)
 */
export function succeededActivities(events: HistoryEvent[]): string[] {
  const completed = new Set(
    events.map((event) => String(event.activityTaskCompletedEventAttributes?.scheduledEventId ?? '')),
  );
  return events.flatMap((event) => {
    const scheduled = event.activityTaskScheduledEventAttributes;
    if (scheduled) return completed.has(String(event.eventId)) ? [scheduled.activityType?.name ?? ''] : [];
    const marker = event.markerRecordedEventAttributes;
    const payload = marker?.details?.data?.payloads?.[0];
    if (marker?.markerName !== 'core_local_activity' || marker.failure || !payload) return [];
    return [localActivity.parse(defaultPayloadConverter.fromPayload(payload)).activity_type];
  });
}

/**
 * The cause of a workflow task that failed because a signal or update came while the workflow was closing: the
 * workflow is to hear it first. That is no fault.
 */
const UNHANDLED_COMMAND = 1;

export function failedWorkflowTasks(events: HistoryEvent[]): string[] {
  return events.flatMap(({ workflowTaskFailedEventAttributes: failed }) =>
    failed && failed.cause !== UNHANDLED_COMMAND ? [`cause ${failed.cause}: ${failed.failure?.message ?? ''}`] : [],
  );
}

/**
 * Whether a failed task only took longer than the SDK allows by the clock. A worker that hung in it looks like that, and so does an endless
 * loop; but a saga in such a loop never comes to rest.
 */
export const tookTooLong = (failure: string) => failure.includes('Script execution timed out');

export const isCancelRequested = (events: HistoryEvent[]) =>
  events.some((event) => event.activityTaskCancelRequestedEventAttributes);

/** Everything a person would read in a history: all of it, its payloads decoded. */
export function textOf(events: HistoryEvent[]): string {
  return JSON.stringify(events, (_, value: unknown) =>
    value instanceof Uint8Array
      ? Buffer.from(value).toString('utf8')
      : typeof value === 'bigint'
        ? String(value)
        : value,
  );
}

const metadataSchema = z.looseObject({ currentDetails: z.string().optional() });

/** What an operator reads in Temporal's Web UI. */
export async function currentDetails(handle: WorkflowHandle): Promise<string> {
  return (metadataSchema.parse(await handle.query('__temporal_workflow_metadata')).currentDetails ?? '').trim();
}

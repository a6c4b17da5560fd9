import type { Info } from '@temporalio/activity';
import { defaultPayloadConverter } from '@temporalio/common';
import type { ActivityInterceptorsFactory } from '@temporalio/worker';
import { childTraceparent, withContext } from '../platform/telemetry';
import { TRACE_HEADER } from '../platform/temporal';

/**
 * A local activity holds its workflow task open, so that the saga cannot hear: one that hangs is tried again later instead. Three in a row
 * end before the task is renewed, at eight of its ten seconds: an update that comes with the renewal would be replayed after them.
 */
const LOCAL_ATTEMPT_MS = 2_000;
/** The calls of an attempt end before the attempt does: what it asked for must not happen after the saga has gone on. */
const SLACK_MS = 500;

/**
 * Runs each activity in the trace of the request that started its workflow, with the time that its attempt has; the workflow's id stands
 * as request id in logs and calls.
 */
export const activityContext: ActivityInterceptorsFactory = (context) => ({
  inbound: {
    execute(input, next) {
      const header = input.headers[TRACE_HEADER];
      const parent = header ? defaultPayloadConverter.fromPayload<string>(header) : undefined;
      const { workflowExecution, activityId } = context.info;
      const requestId = `${workflowExecution?.workflowId ?? 'standalone'}.${activityId}`.replaceAll(':', '.');
      const deadline = Date.now() + attemptMs(context.info);
      return withContext({ requestId, traceparent: childTraceparent(parent), deadline }, () => next(input));
    },
  },
});

function attemptMs({ isLocal, startToCloseTimeoutMs }: Info): number {
  return isLocal ? LOCAL_ATTEMPT_MS : startToCloseTimeoutMs - SLACK_MS;
}

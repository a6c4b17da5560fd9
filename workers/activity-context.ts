import { defaultPayloadConverter } from '@temporalio/common';
import type { ActivityInterceptorsFactory } from '@temporalio/worker';
import { childTraceparent, withContext } from '../platform/telemetry';
import { TRACE_HEADER } from '../platform/temporal';

/** Runs each activity in the trace of the request that started its workflow; the workflow's id stands as request id in logs and calls. */
export const activityContext: ActivityInterceptorsFactory = (context) => ({
  inbound: {
    execute(input, next) {
      const header = input.headers[TRACE_HEADER];
      const parent = header ? defaultPayloadConverter.fromPayload<string>(header) : undefined;
      const { workflowExecution, activityId } = context.info;
      const requestId = `${workflowExecution?.workflowId ?? 'standalone'}.${activityId}`.replaceAll(':', '.');
      return withContext({ requestId, traceparent: childTraceparent(parent) }, () => next(input));
    },
  },
});

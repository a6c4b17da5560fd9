import type { Headers, WorkflowInterceptorsFactory } from '@temporalio/workflow';

/**
 * Passes the `traceparent` that a workflow was started with on to its activities and children, so that one request can be
 * followed from the gateway to Stripe. Headers stand beside the history's decisions: replay does not compare them.
 */
export const interceptors: WorkflowInterceptorsFactory = () => {
  let trace: Headers = {};
  const withTrace = <Input extends { headers: Headers }>(input: Input): Input => ({
    ...input,
    headers: { ...trace, ...input.headers },
  });
  return {
    inbound: [
      {
        execute(input, next) {
          const { traceparent } = input.headers;
          if (traceparent) trace = { traceparent };
          return next(input);
        },
      },
    ],
    outbound: [
      {
        scheduleActivity: (input, next) => next(withTrace(input)),
        scheduleLocalActivity: (input, next) => next(withTrace(input)),
        startChildWorkflowExecution: (input, next) => next(withTrace(input)),
        continueAsNew: (input, next) => next(withTrace(input)),
      },
    ],
  };
};

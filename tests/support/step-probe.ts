import { proxySinks, type Sinks, type WorkflowInterceptorsFactory } from '@temporalio/workflow';

/** A step as today's workflow code asks for it. */
export interface ProbedStep {
  activityType: string;
  runs: 'recorded' | 'local';
  options: object;
  args: unknown[];
}

export interface ProbeSinks extends Sinks {
  probe: { step(step: ProbedStep): void };
}

/** Bundled with the workflows by `workflows/replay.test.ts`: tells outside the sandbox what a replay asks for. */
export const interceptors: WorkflowInterceptorsFactory = () => {
  const { probe } = proxySinks<ProbeSinks>();
  return {
    outbound: [
      {
        scheduleActivity(input, next) {
          const { activityType, options, args } = input;
          probe.step({ activityType, runs: 'recorded', options, args });
          return next(input);
        },
        scheduleLocalActivity(input, next) {
          const { activityType, options, args } = input;
          probe.step({ activityType, runs: 'local', options, args });
          return next(input);
        },
      },
    ],
  };
};

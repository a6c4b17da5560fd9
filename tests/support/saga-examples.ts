import type { SagaType, StartAttributes } from '../../kernel/saga-type';

// What a saga is called, found by and started with, said of examples. Every saga has a file of its name in `saga-examples`.

/** What an example's input comes to. */
interface Shown {
  workflowId: string;
  /** Beside `SagaState`, which is Running. */
  attributes: StartAttributes;
  summary: string;
}

/** What a file of `saga-examples` exports. */
export interface SagaExamples {
  examples: readonly { is: Shown; should: Shown }[];
  /** Its signals and updates, `update cancel`: their names are in histories and cannot change. Those of every saga aside. */
  doors: readonly string[];
  started: Pick<SagaType<never>, 'workflowType' | 'taskQueue'>;
}

/** The examples of a saga. */
export function examplesOf<Input>(
  { workflowType, taskQueue, ...saga }: SagaType<Input>,
  doors: readonly string[],
  ...examples: readonly [Input, Shown][]
): SagaExamples {
  return {
    doors,
    started: { workflowType, taskQueue },
    examples: examples.map(([input, should]) => ({
      is: {
        workflowId: saga.workflowId(input),
        attributes: saga.searchAttributes(input),
        summary: saga.summary(input),
      },
      should,
    })),
  };
}

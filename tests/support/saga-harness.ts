import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type Info as ActivityInfo, activityInfo } from '@temporalio/activity';
import { Client, type WorkflowClientInterceptor, type WorkflowHandle } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import {
  type ActivityExecuteInput,
  DefaultLogger,
  makeTelemetryFilterString,
  Runtime,
  Worker,
} from '@temporalio/worker';
import { createActivities, createClients } from '../../activities';
import { toFailure } from '../../activities/failures';
import { timeSkippingServer } from '../../dev/temporal/test-server';
import { type ErrorCode, ProblemError } from '../../kernel/errors';
import { QUEUES } from '../../kernel/modules';
import { type SagaState, type SagaType, SEARCH_ATTRIBUTES } from '../../kernel/saga-type';
import { loadConfig } from '../../platform/config';
import { replays } from './replays';
import { workflowBundle } from './workflow-bundle';
import { workflowCoverage } from './workflow-coverage';

type HistoryEvent = NonNullable<Awaited<ReturnType<WorkflowHandle['fetchHistory']>>['events']>[number];

/** An activity of a test: what it returns, or throws. `attempt` counts from 1. */
// biome-ignore lint/suspicious/noExplicitAny: stands for activities of every shape
export type TestActivity = (input: any, attempt: number) => unknown;

export interface SagaHarness {
  env: TestWorkflowEnvironment;
  /** Steps of sagas and their children that did not run in the trace of the request that started the saga. */
  untraced: ReadonlySet<string>;
  /**
   * Starts a saga against `activities`. `calls` lists their names in the order in which they were called, repeated attempts once;
   * it is only what this saga called.
   */
  start<Input>(saga: SagaType<Input>, input: Input, activities: Record<string, TestActivity>): Promise<StartedSaga>;
  /** As a worker that takes a saga over: reads the history so far from its first event. Rejects when the code would not have made it. */
  replay(handle: WorkflowHandle): Promise<void>;
  close(): Promise<void>;
}

export interface StartedSaga {
  handle: WorkflowHandle;
  calls: string[];
  /** Resolves when the activity has been called (the nth time). */
  called(name: string, times?: number): Promise<void>;
  /** Resolves when the running activity has been asked to cancel. */
  cancelRequested(): Promise<void>;
  /** Resolves when an update of this name is in the history (the nth). */
  updateArrived(name: string, times?: number): Promise<void>;
  result(): Promise<{ outcome?: string; reason?: string; status?: string }>;
  /** The named update; rejects with the code it was refused with. */
  update(name: string, argument: unknown): Promise<void>;
  attribute(name: string): Promise<unknown>;
  /** What operators read of it in the Web UI, once it is at rest. */
  details(): Promise<string>;
  /** Resolves when its details hold the sentence, and lets time pass until then. */
  says(sentence: string): Promise<void>;
  /** Resolves when the saga's state is this, and lets time pass until then; rejects when it has ended in another. */
  becomes(state: SagaState): Promise<void>;
}

/** Between two looks at a history. To look without a pause takes the processor from the server that is to write it. */
const LOOK_AGAIN_MS = 10;

/** The trace that every saga is started in. */
const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

/** The SDK gives the server five seconds to start, which a busy machine can miss: then another one is started. */
async function timeSkippingEnvironment(): Promise<TestWorkflowEnvironment> {
  const options = await timeSkippingServer();
  for (let tries = 1; ; tries++) {
    try {
      const env = await TestWorkflowEnvironment.createTimeSkipping(options);
      await env.connection.operatorService.addSearchAttributes({
        namespace: env.namespace,
        searchAttributes: Object.fromEntries(SEARCH_ATTRIBUTES.map((name) => [name, 2])),
      });
      return env;
    } catch (error) {
      if (tries === 4) throw error;
    }
  }
}

/**
 * Real workflow code on the time-skipping server: days pass in milliseconds while nothing but timers is waited for. A signal must not
 * meet a workflow's last task here: this server refuses that task's completion, as the real one does, but then takes the
 * worker's repeated call as the next task's, so that the workflow ends without having seen the signal. Nor must a query meet a task: the
 * server hands both to the worker at once, which answers the query alone, and the task is lost. So `details` waits for rest.
 * `code`: other workflows than the product's. `environment`: another server, such as the real one, where no time is skipped. The activities are the test's own, because here only order, timing and decisions are under test; with real services the same
 * sagas run in `tests/`.
 */
export async function startSagaHarness(
  code: { workflowsPath: string; activities: string[] } = {
    workflowsPath: join(__dirname, '../../workflows/index.ts'),
    activities: activityNames(),
  },
  environment: () => Promise<TestWorkflowEnvironment> = timeSkippingEnvironment,
): Promise<SagaHarness> {
  Runtime.install({
    logger: new DefaultLogger('ERROR'),
    telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'ERROR' }) } },
  });
  const env = await environment();
  const coverage = workflowCoverage();
  const bundled = await workflowBundle(
    {
      workflowsPath: code.workflowsPath,
      workflowInterceptorModules: [join(__dirname, '../../workflows/interceptors.ts')],
    },
    coverage,
  );
  const replayed = replays({ workflowBundle: bundled, sinks: coverage.sinks });
  const sagas = new Map<string, { activities: Record<string, TestActivity>; calls: string[]; heard: (() => void)[] }>();
  const route = (name: string, workflowId: string, attempt: number, input: unknown) => {
    // A child saga uses the activities of the saga that was started last, which is its parent's.
    const saga = sagas.get(workflowId) ?? {
      ...[...sagas.values()].at(-1),
      calls: [],
      heard: [],
      activities: [...sagas.values()].at(-1)?.activities ?? {},
    };
    if (attempt === 1) saga.calls.push(name);
    for (const listener of saga.heard.splice(0)) listener();
    const activity = saga.activities[name];
    if (!activity) throw toFailure(new ProblemError('not_found', `the test has no activity ${name}`), activityInfo());
    return activity(input, attempt);
  };
  const untraced = new Set<string>();
  const traceNoted = (info: ActivityInfo, input: ActivityExecuteInput): ActivityExecuteInput => {
    const { traceparent } = input.headers;
    const trace = traceparent && defaultPayloadConverter.fromPayload(traceparent);
    if (trace !== TRACE) untraced.add(`${info.workflowExecution?.workflowId} ${info.activityType}`);
    return input;
  };
  const activities = Object.fromEntries(
    code.activities.map((name) => [
      name,
      async (input: unknown) => {
        const info = activityInfo();
        return route(name, info.workflowExecution?.workflowId ?? '', info.attempt, input);
      },
    ]),
  );
  const workers = await Promise.all(
    QUEUES.map(({ name: taskQueue }) =>
      Worker.create({
        connection: env.nativeConnection,
        namespace: env.namespace ?? 'default',
        taskQueue,
        workflowBundle: bundled,
        activities,
        sinks: coverage.sinks,
        interceptors: {
          activity: [({ info }) => ({ inbound: { execute: (input, next) => next(traceNoted(info, input)) } })],
        },
      }),
    ),
  );
  const running = workers.map((worker) => worker.run());
  const withTrace: WorkflowClientInterceptor = {
    start: (input, next) =>
      next({ ...input, headers: { ...input.headers, traceparent: defaultPayloadConverter.toPayload(TRACE) } }),
  };
  const { connection, namespace } = env;
  const traced = new Client({ connection, ...(namespace && { namespace }), interceptors: { workflow: [withTrace] } });

  return {
    env,
    untraced,
    async start(type, input, activities) {
      const workflowId = type.workflowId(input);
      const state = { activities, calls: [] as string[], heard: [] as (() => void)[] };
      sagas.set(workflowId, state);
      await traced.workflow.start(type.workflowType, {
        workflowId,
        taskQueue: type.taskQueue,
        args: [input],
        staticSummary: type.summary(input),
      });
      // The environment's own client lets time skip while a result is waited for.
      const handle = env.client.workflow.getHandle(workflowId);
      const attribute = async (name: string) => (await handle.describe()).searchAttributes[name]?.[0];
      // What waits for ever keeps the whole file waiting: waiting ends with the saga.
      const recorded = async (matches: (event: HistoryEvent) => unknown, times = 1) => {
        for (;;) {
          const { status } = await handle.describe();
          const { events } = await handle.fetchHistory();
          if ((events?.filter(matches).length ?? 0) >= times) return;
          if (status.name !== 'RUNNING')
            throw new Error(`the saga ended ${status.name}; its history has no such event`);
          await pause(LOOK_AGAIN_MS);
        }
      };
      const isAtRest = async () => {
        const { raw } = await handle.describe();
        // One that is tried again rests until then, for all that this server says.
        const isUnderWay = raw.pendingActivities?.some(({ lastFailure }) => !lastFailure);
        const { events } = await handle.fetchHistory();
        const last = events?.at(-1);
        return !isUnderWay && !last?.workflowTaskScheduledEventAttributes && !last?.workflowTaskStartedEventAttributes;
      };
      const details = async () => {
        while (!(await isAtRest())) await pause(LOOK_AGAIN_MS);
        const told = await handle.query<{ currentDetails?: string }>('__temporal_workflow_metadata');
        return told.currentDetails ?? '';
      };
      return {
        handle,
        details,
        async says(sentence) {
          while (!(await details()).includes(sentence)) await env.sleep(100);
        },
        calls: state.calls,
        async called(name, times = 1) {
          while (state.calls.filter((call) => call === name).length < times)
            await new Promise<void>((resolve) => state.heard.push(resolve));
        },
        cancelRequested: () => recorded((event) => event.activityTaskCancelRequestedEventAttributes),
        updateArrived: (name, times) =>
          recorded((event) => {
            const { acceptedRequest } = event.workflowExecutionUpdateAcceptedEventAttributes ?? {};
            return acceptedRequest?.input?.name === name;
          }, times),
        result: () => handle.result(),
        update: (name, argument) => handle.executeUpdate(name, { args: [argument] }).then(() => undefined, rethrowCode),
        attribute,
        async becomes(state) {
          for (;;) {
            const { status, searchAttributes } = await handle.describe();
            const [now] = searchAttributes.SagaState ?? [];
            if (now === state) return;
            if (status.name !== 'RUNNING') throw new Error(`the saga ended ${status.name} in ${now}, never ${state}`);
            await env.sleep(100);
          }
        },
      };
    },
    replay: async (handle) => replayed.replay(handle.workflowId, await handle.fetchHistory()),
    async close() {
      await replayed.close();
      for (const worker of workers) worker.shutdown();
      await Promise.all(running);
      coverage.report();
      await env.teardown();
    },
  };
}

function rethrowCode(error: unknown): never {
  const cause = error instanceof Error ? error.cause : undefined;
  const type = cause instanceof Error && 'type' in cause ? String(cause.type) : undefined;
  throw new Error(type ?? String(error));
}

/** An activity that is refused with `code`, as a service would refuse it. */
export function refuses(code: ErrorCode): TestActivity {
  return () => {
    throw toFailure(new ProblemError(code), activityInfo());
  };
}

/** What a service out of reach says with every 503. */
const ASK_AGAIN = { retryAfterSeconds: 5 };

/** An activity that fails for now: `times` attempts, or for ever. */
export function fails(times = Number.POSITIVE_INFINITY, then: TestActivity = () => undefined): TestActivity {
  return (input, attempt) => {
    if (attempt <= times)
      throw toFailure(new ProblemError('upstream_unavailable', undefined, ASK_AGAIN), activityInfo());
    return then(input, attempt);
  };
}

/**
 * An activity whose service does not answer at all. Unlike `fails` it asks for no pause, so that the policy's own grow: the time-skipping
 * server plays days of those in seconds.
 */
export const isAway: TestActivity = () => {
  throw toFailure(new ProblemError('upstream_unavailable'), activityInfo());
};

/** An activity that hangs until it is let go. */
export function gate(result: unknown = undefined) {
  let open: (() => void) | undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { activity: (async () => opened.then(() => result)) satisfies TestActivity, open: () => open?.() };
}

/** Every activity that a worker registers in production. */
function activityNames(): string[] {
  const config = loadConfig(
    { SERVICE_TOKEN_SECRET: 'only-names-are-asked-for-here-nothing-is-called' },
    'no-env-file-in-tests',
  );
  return [...new Set(Object.values(createActivities(createClients(config))).flatMap(Object.keys))];
}

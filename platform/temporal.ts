import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  Client,
  Connection,
  type ConnectionLike,
  isGrpcServiceError,
  type WorkflowClientInterceptor,
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import {
  ApplicationFailure,
  defaultPayloadConverter,
  defineSearchAttributeKey,
  type Headers,
  TypedSearchAttributes,
} from '@temporalio/common';
import { ERROR_CODES, isErrorCode, ProblemError } from '../kernel/errors';
import { CONTINUES_AS_NEW, REFS, type SagaType, type StartAttributes } from '../kernel/saga-type';
import type { Config } from './config';
import { currentContext } from './telemetry';

/** Starts sagas and talks to running ones, for services. All errors are ProblemErrors. */
export interface Sagas {
  /**
   * Starts the saga unless one with this id runs or ran: calling it twice is harmless.
   * @throws ProblemError upstream_unavailable when Temporal does not answer: it may have started
   */
  start<Input>(saga: SagaType<Input>, input: Input): Promise<void>;
  /**
   * Sends an update and waits for its result. The same `updateId` attaches to the first one, whatever its arguments, so
   * build it with `updateIdOf`. One that the saga refused because a part of the platform was away is sent anew, and one that meets the
   * saga while it continues as a new run is sent to that.
   * @throws ProblemError with the code the workflow refused with; invalid_state when the saga has ended or never was;
   * upstream_unavailable with Retry-After when it takes longer than `timeoutMs` or Temporal does not answer
   */
  update<Result, Argument>(
    workflowId: string,
    update: { name: string },
    argument: Argument,
    options: { updateId: string; timeoutMs?: number },
  ): Promise<Result>;
  /** Sends a signal; one to a saga that has ended is dropped, and false returned. @throws ProblemError upstream_unavailable */
  signal<Argument>(workflowId: string, signal: { name: string }, argument: Argument): Promise<boolean>;
  /**
   * Signals the saga, and starts it again when it has ended: for news that come after the end and must not be lost, such as a
   * refund that its bank returns. @throws ProblemError upstream_unavailable
   */
  wake<Input, Argument>(
    saga: SagaType<Input>,
    input: Input,
    signal: { name: string },
    argument: Argument,
  ): Promise<void>;
  /**
   * Hands the sagas of `taskQueue` to the worker of this same process as they start (Temporal's eager start). They do not go
   * through the server's queue then. Both sides share the worker's `connection`. When the worker has no room the server queues them as
   * usual. Returns what takes it back; to be called before the connection is closed.
   */
  startEagerly(taskQueue: string, connection: ConnectionLike): () => void;
  /** Asks Temporal's frontend whether it is there. @throws Error when not */
  ping(): Promise<void>;
  close(): Promise<void>;
}

/** Stable for one user's retry of one action, different for another action under the same Idempotency-Key. */
export function updateIdOf(userId: string, action: string, idempotencyKey: string): string {
  return createHash('sha256').update(`${userId}\n${action}\n${idempotencyKey}`).digest('hex');
}

const RPC_TIMEOUT_MS = 5_000;
const UPDATE_TIMEOUT_MS = 10_000;

/** A client of the configured Temporal server. Connects at the first call, so that services start while Temporal is down. */
export function createSagas(config: Config, shared?: Client): Sagas {
  const connection = Connection.lazy({ address: config.TEMPORAL_ADDRESS, connectTimeout: '3s' });
  const clientOver = (over: ConnectionLike) =>
    new Client({ connection: over, namespace: config.TEMPORAL_NAMESPACE, interceptors: { workflow: [passTraceOn] } });
  const client = shared ?? clientOver(connection);
  const eager = new Map<string, Client>();
  const underWay = new Set<Promise<unknown>>();
  async function within<T>(ms: number, call: () => Promise<T>, over = client): Promise<T> {
    const made = over.withDeadline(Date.now() + ms, call);
    underWay.add(made);
    return made.finally(() => underWay.delete(made));
  }

  return {
    async start(saga, input) {
      const worker = eager.get(saga.taskQueue);
      const through = worker ?? client;
      const options = {
        ...startOptions(saga, input),
        workflowIdReusePolicy: 'REJECT_DUPLICATE',
        workflowIdConflictPolicy: 'USE_EXISTING',
        requestEagerStart: worker !== undefined,
      } as const;
      await within(RPC_TIMEOUT_MS, () => through.workflow.start(saga.workflowType, options), through).catch(
        (error: unknown) => {
          if (error instanceof WorkflowExecutionAlreadyStartedError) return;
          throw outOfReach(error);
        },
      );
    },
    startEagerly(taskQueue, over) {
      eager.set(taskQueue, clientOver(over));
      return () => void eager.delete(taskQueue);
    },
    async update<Result, Argument>(
      workflowId: string,
      update: { name: string },
      argument: Argument,
      options: { updateId: string; timeoutMs?: number },
    ) {
      const handle = client.workflow.getHandle(workflowId);
      const deadline = Date.now() + (options.timeoutMs ?? UPDATE_TIMEOUT_MS);
      // Temporal answers a repeated id with the first result, also with a refusal that was true for a moment only.
      for (let updateId = options.updateId, sent = 1; ; ) {
        try {
          return await within(deadline - Date.now(), () =>
            handle.executeUpdate<Result, [Argument]>(update.name, { args: [argument], updateId }),
          );
        } catch (error) {
          if (Date.now() + PAUSE_MS >= deadline) throw refusalOf(error);
          if (wasAway(error)) {
            sent += 1;
            updateId = `${options.updateId}/${sent}`;
          } else if (!isBetweenRuns(error)) throw refusalOf(error);
          await sleep(PAUSE_MS);
        }
      }
    },
    async signal(workflowId, signal, argument) {
      const handle = client.workflow.getHandle(workflowId);
      return within(RPC_TIMEOUT_MS, () => handle.signal(signal.name, argument)).then(
        () => true,
        (error: unknown) => {
          if (error instanceof WorkflowNotFoundError) return false;
          throw outOfReach(error);
        },
      );
    },
    async wake(saga, input, signal, argument) {
      await within(RPC_TIMEOUT_MS, () =>
        client.workflow.signalWithStart(saga.workflowType, {
          ...startOptions(saga, input),
          workflowIdReusePolicy: 'ALLOW_DUPLICATE',
          signal: signal.name,
          signalArgs: [argument],
        }),
      ).catch((error: unknown) => {
        throw outOfReach(error);
      });
    },
    async ping() {
      await within(1_000, () => client.workflowService.getSystemInfo({}));
    },
    async close() {
      // While the server is away a call is made again after pauses, until its deadline: on a closed channel that is an error that nobody catches.
      await Promise.allSettled(underWay);
      await connection.close();
    },
  };
}

/** What every start of a saga has in common: id, queue, input, and what operators find and see it by. */
export function startOptions<Input>(saga: SagaType<Input>, input: Input) {
  return {
    workflowId: saga.workflowId(input),
    taskQueue: saga.taskQueue,
    args: [input],
    typedSearchAttributes: attributesOf(saga.searchAttributes(input)),
    staticSummary: saga.summary(input),
  };
}

function attributesOf({ [REFS]: refs, ...keywords }: StartAttributes): TypedSearchAttributes {
  return new TypedSearchAttributes([
    ...Object.entries(keywords).map(([name, value]) => ({ key: defineSearchAttributeKey(name, 'KEYWORD'), value })),
    ...(refs ? [{ key: defineSearchAttributeKey(REFS, 'KEYWORD_LIST'), value: [...refs] }] : []),
  ]);
}

/** Between two tries of one update. */
const PAUSE_MS = 200;

function refusedWith(error: unknown): string | undefined {
  const cause = error instanceof WorkflowUpdateFailedError ? error.cause : undefined;
  return cause instanceof ApplicationFailure ? (cause.type ?? undefined) : undefined;
}

/** Whether the saga undid what it was asked for, because a part of the platform did not answer. */
function wasAway(error: unknown): boolean {
  return refusedWith(error) === 'upstream_unavailable';
}

/** Whether an update met a saga just as it continued as a new run, which will take the update. */
function isBetweenRuns(error: unknown): boolean {
  return refusedWith(error) === CONTINUES_AS_NEW;
}

function refusalOf(error: unknown): unknown {
  const detail = 'Still being worked on; repeat the request with the same Idempotency-Key';
  const late = () => new ProblemError('upstream_unavailable', detail, { retryAfterSeconds: 2 });
  // The next run did not begin in time.
  if (isBetweenRuns(error)) return late();
  if (error instanceof WorkflowUpdateFailedError && error.cause instanceof ApplicationFailure)
    return problemOf(error.cause);
  if (error instanceof WorkflowNotFoundError)
    return new ProblemError('invalid_state', 'The saga of this resource has ended');
  if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError) return late();
  return outOfReach(error);
}

/** The refusal that a workflow or activity failed with, by the code in its type. */
export function problemOf(failure: ApplicationFailure): ProblemError {
  const code = isErrorCode(failure.type) ? failure.type : 'internal';
  const [extras] = failure.details ?? [];
  return new ProblemError(code, code === 'internal' ? undefined : failure.message, {
    ...(ERROR_CODES[code].retryable && { retryAfterSeconds: 2 }),
    ...(typeof extras === 'object' && extras !== null && { extras: { ...extras } }),
  });
}

function outOfReach(error: unknown): unknown {
  if (error instanceof ProblemError) return error;
  const temporal =
    isGrpcServiceError(error) || (error instanceof Error && /Service|Connection|Transport|Timeout/.test(error.name));
  return temporal
    ? new ProblemError('upstream_unavailable', 'The saga engine is not answering', { retryAfterSeconds: 2 })
    : error;
}

/** The Temporal header by which a W3C traceparent travels from a request through workflows into activities. */
export const TRACE_HEADER = 'traceparent';

const passTraceOn: WorkflowClientInterceptor = {
  start: (input, next) => next({ ...input, headers: { ...input.headers, ...traceHeader() } }),
  startUpdate: (input, next) => next({ ...input, headers: { ...input.headers, ...traceHeader() } }),
  signalWithStart: (input, next) => next({ ...input, headers: { ...input.headers, ...traceHeader() } }),
  signal: (input, next) => next({ ...input, headers: { ...input.headers, ...traceHeader() } }),
};

function traceHeader(): Headers {
  const context = currentContext();
  return context ? { [TRACE_HEADER]: defaultPayloadConverter.toPayload(context.traceparent) } : {};
}

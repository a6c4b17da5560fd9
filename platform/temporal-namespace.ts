import { setTimeout as sleep } from 'node:timers/promises';
import { Connection, isGrpcServiceError, NamespaceNotFoundError } from '@temporalio/client';
import { msToTs, tsToMs } from '@temporalio/common/lib/time';
import { causesOf } from '../kernel/errors';
import { REFS, type ScheduledWorkflow, SEARCH_ATTRIBUTES } from '../kernel/saga-type';
import type { Config } from './config';
import { ensureSchedule } from './temporal-schedules';

/** A saga's id is refused a second time only as long as its history is kept, so it is kept this long. */
export const RETENTION_DAYS = 30;

// temporal.api.enums.v1.IndexedValueType
const KEYWORD = 2;
const KEYWORD_LIST = 7;
const TYPES = new Map([...SEARCH_ATTRIBUTES.map((name) => [name, KEYWORD] as const), [REFS, KEYWORD_LIST]]);
const WANTED = `${SEARCH_ATTRIBUTES.join(', ')} of type Keyword, and ${REFS} of type KeywordList`;
// A namespace or attribute that was just made is seen by every part of the server after its caches' refresh.
const SEEN_WITHIN_MS = 30_000;
/** gRPC's status codes, those that somebody here asks for. */
export const GRPC = {
  ...{ INVALID_ARGUMENT: 3, NOT_FOUND: 5, ALREADY_EXISTS: 6, PERMISSION_DENIED: 7, UNIMPLEMENTED: 12 },
  UNAUTHENTICATED: 16,
};
/** What asking again does not change. */
const FINAL = [
  GRPC.INVALID_ARGUMENT,
  GRPC.ALREADY_EXISTS,
  GRPC.PERMISSION_DENIED,
  GRPC.UNIMPLEMENTED,
  GRPC.UNAUTHENTICATED,
];

/**
 * Makes the namespace fit for the sagas on any server, embedded or given: it exists, keeps histories for 30 days, knows
 * the search attributes, and has the Schedules. A server whose administration is not ours (Temporal Cloud) is left as it is, and what
 * is missing is said.
 * @throws Error for a person to read when the server does not answer
 */
export async function prepareNamespace(
  config: Pick<Config, 'TEMPORAL_ADDRESS' | 'TEMPORAL_NAMESPACE'>,
  say: (line: string) => void,
  schedules: readonly ScheduledWorkflow[],
): Promise<void> {
  const { TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: namespace } = config;
  const connection = await connect(address);
  try {
    await ensureNamespace(connection, namespace);
    await ensureSearchAttributes(connection, namespace).catch((error: unknown) => {
      if (!isGrpc(error, GRPC.PERMISSION_DENIED, GRPC.UNIMPLEMENTED)) throw error;
      say(`Temporal at ${address} does not let search attributes be added: ask for ${WANTED}`);
    });
    for (const schedule of schedules) {
      const { scheduleId } = schedule;
      // As long as the namespace is new, not every part of the server knows it.
      await seen(() => ensureSchedule(connection, namespace, schedule).then(() => true)).catch((error: unknown) => {
        if (!isGrpc(error, GRPC.PERMISSION_DENIED, GRPC.UNIMPLEMENTED)) throw error;
        say(
          `Temporal at ${address} does not let the Schedule ${scheduleId} be made: ask for one, as docs/sagas/${scheduleId}.md says`,
        );
      });
    }
  } finally {
    await connection.close();
  }
}

async function connect(address: string): Promise<Connection> {
  const deadline = performance.now() + 15_000;
  for (;;) {
    try {
      return await Connection.connect({ address, connectTimeout: '3s' });
    } catch (error) {
      if (performance.now() > deadline) {
        throw new Error(`Temporal does not answer at ${address}: start it, or correct TEMPORAL_ADDRESS`, {
          cause: error,
        });
      }
      await sleep(200);
    }
  }
}

async function ensureNamespace(connection: Connection, namespace: string): Promise<void> {
  const service = connection.workflowService;
  const retention = msToTs(`${RETENTION_DAYS} days`);
  const describe = () => service.describeNamespace({ namespace });
  const found = await describe().catch(async (error: unknown) => {
    if (!isGrpc(error, GRPC.NOT_FOUND)) throw error;
    await service
      .registerNamespace({ namespace, workflowExecutionRetentionPeriod: retention })
      .catch((again: unknown) => {
        if (!isGrpc(again, GRPC.ALREADY_EXISTS)) throw again;
      });
    return seen(describe);
  });
  const kept = found.config?.workflowExecutionRetentionTtl;
  if (kept && tsToMs(kept) >= tsToMs(retention)) return;
  await service
    .updateNamespace({ namespace, config: { workflowExecutionRetentionTtl: retention } })
    .catch((error: unknown) => {
      if (!isGrpc(error, GRPC.PERMISSION_DENIED, GRPC.UNIMPLEMENTED)) throw error;
    });
}

async function ensureSearchAttributes(connection: Connection, namespace: string): Promise<void> {
  const service = connection.operatorService;
  const list = async () => (await service.listSearchAttributes({ namespace })).customAttributes ?? {};
  const known = await seen(list);
  const missing = [...TYPES].filter(([name]) => known[name] === undefined);
  const wrong = [...TYPES].filter(([name, type]) => known[name] !== undefined && known[name] !== type);
  if (wrong.length > 0) {
    const names = wrong.map(([name]) => name).join(', ');
    throw new Error(
      `The search attributes ${names} of namespace ${namespace} have another type: it must have ${WANTED}`,
    );
  }
  if (missing.length === 0) return;
  const searchAttributes = Object.fromEntries(missing);
  await service.addSearchAttributes({ namespace, searchAttributes }).catch((error: unknown) => {
    if (!isGrpc(error, GRPC.ALREADY_EXISTS)) throw error;
  });
  await seen(list, (attributes) => missing.every(([name, type]) => attributes[name] === type));
}

/** Asks until what was made can be seen. A server that has just begun, or is busy, refuses for a moment what it has later. */
async function seen<T>(ask: () => Promise<T>, enough: (answer: T) => boolean = () => true): Promise<T> {
  const deadline = performance.now() + SEEN_WITHIN_MS;
  for (;;) {
    const answer = await ask().catch((error: unknown) => {
      const passes = isOfServer(error) && !isGrpc(error, ...FINAL);
      if ((passes || error instanceof NamespaceNotFoundError) && performance.now() < deadline) return undefined;
      throw error;
    });
    if (answer !== undefined && enough(answer)) return answer;
    if (performance.now() > deadline) throw new Error('Temporal does not show what was just added to it');
    await sleep(200);
  }
}

/** Whether a call of the server was answered with one of the status codes; parts of the SDK hand that on as a cause. */
export function isGrpc(error: unknown, ...codes: number[]): boolean {
  return [...causesOf(error)].some((cause) => isGrpcServiceError(cause) && codes.includes(cause.code));
}

/** Whether it is an answer of the server's, or that there was none. */
function isOfServer(error: unknown): boolean {
  return [...causesOf(error)].some((cause) => isGrpcServiceError(cause));
}

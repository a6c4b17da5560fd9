import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import { types } from 'node:util';
import pino, { type DestinationStream, type Logger } from 'pino';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Endpoint, Vendor } from './endpoint';

export type { Logger };

/** What follows a request through services, workflows and activities. */
export interface RequestContext {
  requestId: string;
  /** W3C Trace Context, `00-<trace>-<span>-<flags>`. */
  traceparent: string;
  /** When an answer is of no use any more, in milliseconds since the epoch: no call made for it lasts longer. */
  deadline?: number;
  /** What answers the request, once the server has found it. */
  operation?: Endpoint;
  /** The vendor that work outside of an operation says it reaches. */
  reaching?: Vendor;
}

const contexts = new AsyncLocalStorage<RequestContext>();

/** Runs `work` so that logs and outgoing calls below it carry `context`. */
export function withContext<T>(context: RequestContext, work: () => T): T {
  return contexts.run(context, work);
}

/** The context of work that nobody asked for: an id of its own, and a trace of its own. */
export function newContext(): RequestContext {
  return { requestId: randomUUID(), traceparent: childTraceparent(undefined) };
}

/** The request that the running code works for; undefined outside of one. */
export function currentContext(): RequestContext | undefined {
  return contexts.getStore();
}

const TRACEPARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** A traceparent in the trace of `parent` with a span of its own; a new trace when `parent` is absent or malformed (W3C Trace Context §3.2). */
export function childTraceparent(parent: string | undefined): string {
  const span = randomHex().slice(0, 16);
  if (parent && TRACEPARENT.test(parent)) return `${parent.slice(0, 36)}${span}${parent.slice(52)}`;
  return `00-${(randomHex() + randomHex()).slice(0, 32)}-${span}-01`;
}

/** 20 random hexadecimal digits. Node draws random UUIDs many at a time, bytes in a call into the system for each. */
function randomHex(): string {
  const uuid = randomUUID(); // its digits between the first and the last group are not all random (RFC 9562 §5.4)
  return uuid.slice(0, 8) + uuid.slice(-12);
}

const SECRETS = ['password', 'email', 'accessToken', 'refreshToken', 'authorization', 'clientSecret'];

/** A JSON logger, to standard output unless `destination` says otherwise. Personal data and secrets never belong in a log line; `SECRETS` is a second line of defence. */
export function createLogger(
  name: string,
  level: string,
  destination: DestinationStream = pino.destination({ sync: true }),
): Logger {
  const options = {
    name,
    level,
    redact: { paths: SECRETS.flatMap((field) => [field, `*.${field}`]), censor: '[redacted]' },
    mixin: originOf,
    serializers: { err: describeError },
  };
  return pino(options, destination);
}

/** What a log line says of where it comes from. */
function originOf(): Partial<RequestContext> {
  const context = contexts.getStore();
  return context ? { requestId: context.requestId, traceparent: context.traceparent } : {};
}

/**
 * An error as logged: name, code, SQLSTATE of the cause and stack. Not the message of a database error, which holds the
 * query's parameters (drizzle-orm, DrizzleQueryError).
 */
function describeError(error: unknown): Record<string, unknown> {
  if (!isError(error)) return { message: String(error) };
  const database = error.constructor.name === 'DrizzleQueryError';
  const { cause } = error;
  return {
    name: error.name,
    ...('code' in error && { code: error.code }),
    ...(database ? { message: 'a database query failed' } : { message: error.message }),
    ...(isError(cause) && {
      cause: {
        name: cause.name,
        ...('code' in cause && { code: cause.code }),
        ...(!database && { message: cause.message }),
      },
    }),
    stack: error.stack
      ?.split('\n')
      .filter((line) => line.startsWith('    at '))
      .slice(0, 12)
      .join('\n'),
  };
}

/** Also true for Node's own errors where they come from another realm than this code, as under Jest. */
const isError = (value: unknown): value is Error => value instanceof Error || types.isNativeError(value);

/** Metrics of one process, however many services it runs; each series says which service it is of. */
export const metrics = new Registry();
collectDefaultMetrics({ register: metrics });

export const httpDuration = new Histogram({
  name: 'http_request_duration_seconds',
  help: 'Time to answer, by service, operation and status',
  labelNames: ['service', 'operation', 'status'],
  buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
  registers: [metrics],
});

/** A counter of this process's `/metrics`. */
export function counter<Label extends string>(name: string, help: string, labelNames: Label[]): Counter<Label> {
  return new Counter({ name, help, labelNames, registers: [metrics] });
}

/** A value of this process's `/metrics` that goes up and down. */
export function gauge<Label extends string>(name: string, help: string, labelNames: Label[]): Gauge<Label> {
  return new Gauge({ name, help, labelNames, registers: [metrics] });
}

const statements = counter(
  'database_statements_total',
  'SQL statements sent, with those that begin and end transactions',
  ['service'],
);

/** Counts the statements of one service: for `openDatabase`. */
export function statementCounter(service: string): () => void {
  const ofService = statements.labels(service);
  return () => ofService.inc();
}

import type { Response } from 'express';
import type { z } from 'zod';
import { causesOf, ERROR_CODES, type ErrorCode, notValid, ProblemError } from '../kernel/errors';
import type { Logger } from './telemetry';

/** RFC 9457 problem details as sent. */
export interface ProblemBody {
  type: string;
  title: string;
  status: number;
  code: ErrorCode;
  detail: string;
  instance: string;
  requestId: string;
  [member: string]: unknown;
}

/** The body for `problem`, answered at `instance` (the request's path, without its query) to request `requestId`. */
export function problemBody(problem: ProblemError, instance: string, requestId: string): ProblemBody {
  return {
    ...problem.more.extras,
    type: `/docs/errors#${problem.code}`,
    title: ERROR_CODES[problem.code].title,
    status: problem.status,
    code: problem.code,
    detail: problem.detail,
    instance,
    requestId,
    ...(problem.more.errors && { errors: problem.more.errors }),
  };
}

/** A 422 that names each field; the dotted path starts with `prefix` for fields outside the body. */
export function fromZod(error: z.ZodError, prefix = ''): ProblemError {
  const errors = error.issues.flatMap((issue) => {
    const base = [prefix, ...issue.path.map(String)].filter(Boolean);
    if (issue.code !== 'unrecognized_keys') return [{ path: base.join('.'), message: issue.message }];
    return issue.keys.map((key) => ({ path: [...base, key.slice(0, 100)].join('.'), message: 'is not a known field' }));
  });
  return notValid(errors.slice(0, 50));
}

/** A refusal that was stored under an idempotency key: sent again byte for byte, with the first request's id. */
export class StoredRefusal extends Error {
  override readonly name = 'StoredRefusal';
  constructor(
    readonly status: number,
    readonly body: unknown,
  ) {
    super(`stored refusal ${status}`);
  }
}

/** After these nobody knows where on the connection the next request would begin. */
const ENDS_CONNECTION = new Set<ErrorCode>(['malformed_request', 'request_timeout']);

/**
 * Answers with `error` as problem+json, which nobody may keep: a 404 could be (RFC 9110 §15.1). What is not a known refusal is
 * logged and answered as 503 or 500 without any of its text.
 */
export function sendProblem(response: Response, error: unknown, originalUrl: string, logger: Logger): void {
  response.set('Cache-Control', 'no-store');
  if (error instanceof StoredRefusal) {
    response.status(error.status).type('application/problem+json').send(JSON.stringify(error.body));
    return;
  }
  const problem = asProblem(error);
  // Refusing what is too much has to cost less than doing it; the metrics count these.
  if (problem.status >= 500 && problem.code !== 'overloaded')
    logger.error({ err: error, code: problem.code }, 'request failed');
  const requestId = String(response.locals.requestId ?? '');
  const instance = originalUrl.split('?')[0] ?? '/';
  const retryAfter = problem.more.retryAfterSeconds ?? (problem.status === 503 ? 1 : undefined);
  if (retryAfter !== undefined) response.set('Retry-After', String(retryAfter));
  response.set(problem.more.headers ?? {});
  if (ENDS_CONNECTION.has(problem.code)) response.set('Connection', 'close');
  if (problem.status === 401) response.set('WWW-Authenticate', 'Bearer');
  response
    .status(problem.status)
    .type('application/problem+json')
    .send(JSON.stringify(problemBody(problem, instance, requestId)));
}

/**
 * The refusal that stands for any error: body-parser's by their type, a path that cannot be decoded, a body that cannot be
 * inflated (http-errors gives it the status 400), a database that cannot be reached by its code.
 */
export function asProblem(error: unknown): ProblemError {
  if (error instanceof ProblemError) return error;
  if (typeof error !== 'object' || error === null) return new ProblemError('internal');
  if (error instanceof URIError) return new ProblemError('not_found');
  const type = 'type' in error ? String(error.type) : '';
  if (type === 'entity.too.large') return new ProblemError('payload_too_large');
  if (type.startsWith('encoding.') || type.startsWith('charset.')) return new ProblemError('unsupported_media_type');
  if (type.startsWith('request.')) return new ProblemError('malformed_body', 'The body did not arrive whole');
  if ('status' in error && error.status === 400) return new ProblemError('malformed_body');
  if (isOutOfReach(error)) return new ProblemError('upstream_unavailable', undefined, { retryAfterSeconds: 2 });
  return new ProblemError('internal');
}

// Node's connection errors, postgres.js's own, and SQLSTATE classes 08 (connection), 53 (resources), 57P (shutdown), 25006/40001/40P01 (try again).
const OUT_OF_REACH =
  /^(ECONN\w+|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|CONNECT\w*_\w+|CONNECTION_\w+|08\w{3}|53\w{3}|57P\w{2}|25006|40001|40P01|55P03)$/;

function isOutOfReach(error: unknown): boolean {
  for (const cause of causesOf(error)) if ('code' in cause && OUT_OF_REACH.test(String(cause.code))) return true;
  return false;
}

/** Whether an error is a refusal that the same request may not meet later. */
export function isRetryable(error: unknown): boolean {
  return error instanceof ProblemError && ERROR_CODES[error.code].retryable;
}

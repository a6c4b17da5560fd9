import { ProblemError } from '../../kernel/errors';
import type { User } from '../../platform/auth';
import { refusalReply } from '../../platform/idempotency';
import { currentContext } from '../../platform/telemetry';
import type { ClientRequest } from './claims.store';
import { isTemporary } from './rules';

/** A 200 with `body`. */
export function ok<Body>(body: Body) {
  return { status: 200, body } as const;
}

/** The key of a client's request and how refusals of it are stored; `instance` is the request's path. */
export function keyed(call: { user: User; fingerprint: string }, key: string, instance: string): ClientRequest {
  const requestId = currentContext()?.requestId ?? '';
  return {
    owner: call.user.id,
    key,
    fingerprint: call.fingerprint,
    asReply: (problem) => refusalReply(problem, instance, requestId),
  };
}

/** Whether a refusal is the final answer under its key: what may come out differently next time is not kept. */
export function isFinal(error: unknown): error is ProblemError {
  return error instanceof ProblemError && !isTemporary(error);
}

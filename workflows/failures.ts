import { ActivityFailure, ApplicationFailure, ChildWorkflowFailure, TimeoutFailure } from '@temporalio/workflow';
import { ERROR_CODES, type ErrorCode, isErrorCode } from '../kernel/errors';

/** A refusal for a client of an update: its code reaches the client as problem+json. */
export function refuse(code: ErrorCode, detail: string = ERROR_CODES[code].title): ApplicationFailure {
  return ApplicationFailure.create({ type: code, message: detail, nonRetryable: true, category: 'BENIGN' });
}

/**
 * The code behind a failed step. A recorded activity's failure comes wrapped in ActivityFailure, a local one's bare
 * (measured on SDK 1.24). A step that ran out of time has `upstream_unavailable`.
 */
export function codeOf(error: unknown): ErrorCode {
  const cause = causeOf(error);
  if (cause instanceof TimeoutFailure) return 'upstream_unavailable';
  return cause instanceof ApplicationFailure && isErrorCode(cause.type) ? cause.type : 'internal';
}

/** Whether a service refused: asking again would bring the same answer. */
export function isRefusal(error: unknown): boolean {
  const cause = causeOf(error);
  return cause instanceof ApplicationFailure && cause.nonRetryable === true;
}

/** What `work` comes to, or the code with which a service refused it: a refusal is an answer where nothing is to be tried again. */
export async function orRefusal<T>(work: Promise<T>): Promise<T | ErrorCode> {
  try {
    return await work;
  } catch (error) {
    if (isRefusal(error)) return codeOf(error);
    throw error;
  }
}

function causeOf(error: unknown): unknown {
  return error instanceof ActivityFailure || error instanceof ChildWorkflowFailure ? error.cause : error;
}

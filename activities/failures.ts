import { ApplicationFailure } from '@temporalio/common';
import { ERROR_CODES, ProblemError } from '../kernel/errors';

/** Members of a problem that may stand in a history: ids and codes, never a person's words. */
const SAFE_EXTRAS = ['paymentId', 'bookingId', 'declineCode'] as const;

/**
 * A service's refusal as a Temporal failure: its type is the code. Business refusals are final and BENIGN (they are no fault
 * of ours); everything else is retried, not before the Retry-After the service asked for.
 */
export function toFailure(problem: ProblemError): ApplicationFailure {
  const { retryable } = ERROR_CODES[problem.code];
  const extras = Object.fromEntries(
    SAFE_EXTRAS.filter((name) => typeof problem.more.extras?.[name] === 'string').map((name) => [
      name,
      problem.more.extras?.[name],
    ]),
  );
  return ApplicationFailure.create({
    type: problem.code,
    message: problem.detail,
    nonRetryable: !retryable,
    ...(!retryable && { category: 'BENIGN' as const }),
    ...(retryable && problem.more.retryAfterSeconds && { nextRetryDelay: problem.more.retryAfterSeconds * 1_000 }),
    ...(Object.keys(extras).length > 0 && { details: [extras] }),
  });
}

/** Runs an activity's work; what it throws reaches the workflow without any text that could hold personal data. */
export async function mapErrors<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ApplicationFailure) throw error;
    if (error instanceof ProblemError) throw toFailure(error);
    // A bug of ours: its message may quote any value, so only its kind goes into the history; the log has the rest.
    const kind = error instanceof Error ? error.name : typeof error;
    throw ApplicationFailure.create({
      type: 'internal',
      message: `An activity failed unexpectedly (${kind})`,
      nonRetryable: false,
    });
  }
}

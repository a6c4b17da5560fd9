import type { Info } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { msToNumber } from '@temporalio/common/lib/time';
import { ERROR_CODES, ProblemError } from '../kernel/errors';
import { SECOND } from '../kernel/time';

/** Members of a problem that may stand in a history: ids and codes, never a person's words. */
const SAFE_EXTRAS = ['paymentId', 'bookingId', 'declineCode'] as const;

/** Which attempt of an activity failed, and how its next pauses were planned: `activityInfo()` of the running one. */
export type FailedAttempt = Pick<Info, 'attempt' | 'retryPolicy'>;

/**
 * A service's refusal as a Temporal failure: its type is the code. Business refusals are final and BENIGN (they are no fault
 * of ours); everything else is retried by the activity's policy, but not before the Retry-After the service asked for.
 */
export function toFailure(problem: ProblemError, attempt: FailedAttempt): ApplicationFailure {
  const { retryable } = ERROR_CODES[problem.code];
  const asked = (problem.more.retryAfterSeconds ?? 0) * SECOND;
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
    // Set, it takes the place of the policy's own pause, and with it of the growth that makes so many attempts last so long.
    ...(retryable && asked > plannedPause(attempt) && { nextRetryDelay: asked }),
    ...(Object.keys(extras).length > 0 && { details: [extras] }),
  });
}

/**
 * Milliseconds until the next attempt by the policy (https://docs.temporal.io/encyclopedia/retry-policies); 0 when the server
 * did not say which policy that is.
 */
function plannedPause({ attempt, retryPolicy }: FailedAttempt): number {
  if (!retryPolicy) return 0;
  const { initialInterval = SECOND, backoffCoefficient = 2, maximumInterval } = retryPolicy;
  const first = msToNumber(initialInterval);
  const most = maximumInterval === undefined ? 100 * first : msToNumber(maximumInterval);
  return Math.min(first * backoffCoefficient ** (attempt - 1), most);
}

/** Runs an attempt of an activity; what it throws reaches the workflow without any text that could hold personal data. */
export async function mapErrors<T>(attempt: FailedAttempt, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ApplicationFailure) throw error;
    if (error instanceof ProblemError) throw toFailure(error, attempt);
    // A bug of ours: its message may quote any value, so only its kind goes into the history; the log has the rest.
    const kind = error instanceof Error ? error.name : typeof error;
    throw ApplicationFailure.create({
      type: 'internal',
      message: `An activity failed unexpectedly (${kind})`,
      nonRetryable: false,
    });
  }
}

import Stripe from 'stripe';
import { ProblemError } from '../../../../kernel/errors';
import { counter, type Logger } from '../../../../platform/telemetry';
import { requireVendor } from '../../../../platform/vendors';
import type { Answer } from '../answers';
import { intentOf } from './words';

const rejections = counter(
  'stripe_requests_rejected_total',
  'Requests of ours that Stripe called invalid: a fault of the platform, whoever it met',
  ['operation', 'code'],
);

/** Whether a code of Stripe is an answer to a request, and no complaint about it. */
type IsAnswer = (code: string) => boolean;

/** Runs requests and says what they came to. The only place where Stripe's errors are read. */
export function asking(logger: Logger) {
  /** For a request that may have an effect. A code that `isAnswer` knows is Stripe's answer to it, any other says that it was invalid. */
  async function answerOf<T>(operation: string, isAnswer: IsAnswer, send: () => Promise<T>): Promise<Answer<T>> {
    requireVendor('stripe');
    try {
      return { kind: 'ok', value: await send() };
    } catch (error) {
      return failureOf(error, isAnswer, (code, { param, requestId: stripeRequestId }) => {
        rejections.inc({ operation, code });
        // Not what Stripe says in words, which may quote a person: its dashboard has that, by the id of the request.
        logger.error({ operation, code, param, stripeRequestId }, 'Stripe called a request of ours invalid');
      });
    }
  }

  /**
   * For requests that only read, or may be made twice: what is missing, as a code that `isMissing` knows says, is null, everything else a
   * ProblemError to retry on.
   */
  async function reading<T>(operation: string, ask: () => Promise<T>, isMissing: IsAnswer = isGone): Promise<T | null> {
    const answer = await answerOf(operation, isMissing, ask);
    if (answer.kind === 'ok') return answer.value;
    if (answer.kind === 'not_executed') throw answer.problem;
    if (answer.kind === 'rejected') throw new Error(`Stripe refused a question: ${answer.code}`);
    if (answer.kind === 'refused') return null;
    throw stripeIsAway();
  }

  return { answerOf, reading };
}

/** By what every call of Stripe is made. */
export type Asking = ReturnType<typeof asking>;

/** `account_invalid` is how Stripe answers for connected accounts that do not exist (any more). */
export const isGone = (code: string) => code === 'resource_missing' || code === 'account_invalid';
/** Refusals of a card, or of its holder, that Stripe counts among invalid requests (docs.stripe.com/error-codes). */
const OF_THE_CARD = new Set([
  'payment_intent_authentication_failure',
  'payment_intent_payment_attempt_failed',
  'payment_method_customer_decline',
  'payment_method_not_available',
  'payment_method_provider_decline',
  'payment_method_unexpected_state',
]);
/** Of a card that was removed, or used before without a customer, Stripe names neither code nor parameter: it says no more than this. */
const USED_UP = /\bPaymentMethod\b.*\bmay not be used again\b/;
/** For what Stripe refuses for many reasons, some without a code: each is an outcome. */
export const isAnyAnswer = () => true;
/** For what Stripe has no reason to refuse. */
export const isNoAnswer = () => false;

function failureOf(
  error: unknown,
  isAnswer: IsAnswer,
  report: (code: string, error: InstanceType<typeof Stripe.errors.StripeError>) => void,
): Exclude<Answer<never>, { kind: 'ok' }> {
  if (!(error instanceof Stripe.errors.StripeError)) throw error;
  // The error's own `type` is the name of a class of the SDK, which is nobody's business.
  const code = error.code ?? error.rawType ?? 'unknown';
  if (error instanceof Stripe.errors.StripeCardError) {
    const intent = error.payment_intent ? intentOf(error.payment_intent) : null;
    return { kind: 'declined', code: error.decline_code || code, intent };
  }
  if (error instanceof Stripe.errors.StripeIdempotencyError) return { kind: 'key_used' };
  if (error instanceof Stripe.errors.StripeInvalidRequestError) {
    if (isAnswer(code)) return { kind: 'refused', code };
    // The client has chosen the card: one that is not there, is another's or was used up is declined like one that its bank declines.
    if (error.param === 'payment_method' || OF_THE_CARD.has(code) || USED_UP.test(error.message))
      return { kind: 'declined', code: error.code ?? 'payment_method_unusable', intent: null };
    report(code, error);
    return { kind: 'rejected', code };
  }
  if (error instanceof Stripe.errors.StripeRateLimitError) {
    const wait = Number(error.headers?.['retry-after']);
    const retryAfterSeconds = Number.isFinite(wait) && wait > 0 ? wait : 1;
    const problem = new ProblemError('rate_limited', 'Stripe asks to slow down', { retryAfterSeconds });
    return { kind: 'not_executed', problem };
  }
  if (error instanceof Stripe.errors.StripePermissionError && isGone(code)) return { kind: 'refused', code };
  if (error.statusCode === 401 || error.statusCode === 403) {
    const problem = new ProblemError('upstream_unavailable', 'Stripe does not accept the key of this platform', {
      retryAfterSeconds: 30,
    });
    return { kind: 'not_executed', problem };
  }
  if (error.statusCode === 409) return { kind: 'in_use' };
  // Only a plain 500 comes from behind Stripe's idempotency layer for certain; another answer in the 500s may not.
  const replayed = error.headers?.['idempotent-replayed'] === 'true';
  return { kind: 'doubtful', final: replayed || error.statusCode === 500, replayed };
}

/** After a doubtful answer: ask again, under the same key. */
export function stripeIsAway(): ProblemError {
  return new ProblemError('upstream_unavailable', 'Stripe is not answering', { retryAfterSeconds: 2 });
}

/** Look-ups by time start this much before the request was noted, in case the clocks differ. */
const CLOCK_SKEW_SECONDS = 300;

/** The filter of a look-up for what was made since a request was noted. */
export function madeSince(since: Date): { created: { gte: number } } {
  return { created: { gte: Math.floor(since.getTime() / 1_000) - CLOCK_SKEW_SECONDS } };
}

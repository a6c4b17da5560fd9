import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { ProblemError } from '../../kernel/errors';
import type { Headers } from './proxy/headers';

const WINDOW_SECONDS = 60;

/** The state of one caller's limit after a request. */
interface Allowance {
  /** `RateLimit-Policy` and `RateLimit` in the form of draft-ietf-httpapi-ratelimit-headers; none when limits are off. */
  headers: Headers;
  /** Set when the request is one too many. */
  refusal?: ProblemError;
}

export type TakeAllowance = (caller: string) => Promise<Allowance>;

/**
 * Counts requests per caller in fixed windows of a minute. The counts live in this process: with several gateways each
 * allows the full number, and a restart forgets them. What must hold across processes (logins, registrations) is counted
 * by identity in its database.
 */
export function apiLimit(perMinute: number | 'off'): TakeAllowance {
  if (perMinute === 'off') return async () => ({ headers: {} });
  const limiter = new RateLimiterMemory({ points: perMinute, duration: WINDOW_SECONDS });
  return async (caller) => {
    const taken = await limiter.consume(caller).catch((refused: unknown) => {
      if (refused instanceof RateLimiterRes) return refused;
      throw refused;
    });
    const seconds = Math.max(1, Math.ceil(taken.msBeforeNext / 1_000));
    const headers = {
      'ratelimit-policy': `"api";q=${perMinute};w=${WINDOW_SECONDS}`,
      ratelimit: `"api";r=${taken.remainingPoints};t=${seconds}`,
    };
    if (taken.consumedPoints <= perMinute) return { headers };
    const detail = `At most ${perMinute} requests a minute are answered`;
    return { headers, refusal: new ProblemError('rate_limited', detail, { retryAfterSeconds: seconds }) };
  };
}

import { createHash } from 'node:crypto';
import { lt } from 'drizzle-orm';
import { RateLimiterPostgres, RateLimiterRes } from 'rate-limiter-flexible';
import { rateLimits } from '../../../db/schema/identity';
import { ProblemError } from '../../../kernel/errors';
import { HOUR } from '../../../kernel/time';
import type { ServiceDeps } from '../../../platform/service';
import { addressBucket, type LimitState, rateLimitHeaders, tightest } from '../rules';

const WINDOW_SECONDS = 60;

/** What limits work with. */
export interface LimitsDeps {
  config: Pick<ServiceDeps['config'], 'RATE_LIMIT_LOGIN' | 'RATE_LIMIT_LOGIN_ADDRESS' | 'RATE_LIMIT_REGISTER'>;
  database: Pick<ServiceDeps['database'], 'sql'>;
}

/** Counts one request under a key. @throws ProblemError rate_limited */
type Limit = (key: string) => Promise<LimitState | undefined>;

/**
 * The limits of login and registration, counted in identity's database: they survive a restart and hold for all
 * replicas together. `off` makes a limit that counts nothing.
 */
export function createLimits({ config, database }: LimitsDeps) {
  const limit = (policy: string, quota: number | 'off'): Limit => {
    if (quota === 'off') return async () => undefined;
    const limiter = new RateLimiterPostgres({
      storeClient: queryableBy(database.sql),
      storeType: 'client',
      tableName: 'rate_limits',
      tableCreated: true, // by the migrations
      clearExpiredByTimeout: false, // `forgetOldLimits`, which stops with the service
      keyPrefix: policy,
      points: quota,
      duration: WINDOW_SECONDS,
    });
    return async (key) => {
      const counted = await limiter.consume(key).catch((refusal: unknown) => {
        if (refusal instanceof RateLimiterRes) return refusal;
        throw refusal;
      });
      const resetSeconds = Math.max(1, Math.ceil(counted.msBeforeNext / 1_000));
      const state = { policy, quota, windowSeconds: WINDOW_SECONDS, remaining: counted.remainingPoints, resetSeconds };
      if (counted.consumedPoints > quota) {
        const headers = rateLimitHeaders(state);
        throw new ProblemError('rate_limited', `The limit is ${quota} a minute`, {
          retryAfterSeconds: resetSeconds,
          headers,
        });
      }
      return state;
    };
  };

  const loginByAccount = limit('login', config.RATE_LIMIT_LOGIN);
  const loginByAddress = limit('login-address', config.RATE_LIMIT_LOGIN_ADDRESS);
  const registerByAddress = limit('register', config.RATE_LIMIT_REGISTER);

  return {
    /** Counts a login from `address` to `account`, whether or not there is such an account. @throws ProblemError rate_limited */
    async login(address: string, account: string): Promise<LimitState | undefined> {
      const byAddress = await loginByAddress(addressBucket(address));
      const byAccount = await loginByAccount(accountKey(account));
      return tightest([byAccount, byAddress].filter((state) => state !== undefined));
    },
    /** Counts a registration from `address`. @throws ProblemError rate_limited */
    register: (address: string): Promise<LimitState | undefined> => registerByAddress(addressBucket(address)),
  };
}

/** Deletes windows that ended an hour ago. */
export async function forgetOldLimits(db: ServiceDeps['database']['db']): Promise<void> {
  await db.delete(rateLimits).where(lt(rateLimits.expire, Date.now() - HOUR));
}

/** A hash: the address that was typed may be anything and of any length, and need not be kept. */
function accountKey(account: string): string {
  return createHash('sha256').update(account.toLowerCase()).digest('base64url');
}

/** The one method of node-postgres that the limiter calls, on postgres.js. */
function queryableBy(sql: ServiceDeps['database']['sql']) {
  return {
    async query({ text, values }: { text: string; values: (string | number | null)[] }) {
      const rows = await sql.unsafe(text, values);
      return { rows: [...rows], rowCount: rows.count };
    },
  };
}

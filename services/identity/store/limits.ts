import { createHash } from 'node:crypto';
import { lt } from 'drizzle-orm';
import { RateLimiterPostgres, RateLimiterRes } from 'rate-limiter-flexible';
import { rateLimits } from '../../../db/schema/identity';
import { ProblemError } from '../../../kernel/errors';
import { HOUR } from '../../../kernel/time';
import type { ServiceDeps } from '../../../platform/service';
import { addressBucket, type LimitState, rateLimitHeaders, tightest } from '../rules';

const MINUTE_SECONDS = 60;
const HOUR_SECONDS = 3_600;
/** Mails of one kind that one account is sent an hour at most. */
const MAILS_AN_HOUR = 3;
/** Passwords that a signed-in person may try as their current one in a quarter of an hour: whoever found an open device guesses. */
const PASSWORD_TRIES = 5;
/** Codes of a second factor that may be tried for one person in a quarter of an hour: of a million three count at a time. */
const CODE_TRIES = 5;
const QUARTER_SECONDS = 900;

/** What limits work with. */
export interface LimitsDeps {
  config: Pick<
    ServiceDeps['config'],
    | 'RATE_LIMIT_LOGIN'
    | 'RATE_LIMIT_LOGIN_ADDRESS'
    | 'RATE_LIMIT_LOGIN_FAILURES'
    | 'RATE_LIMIT_REGISTER'
    | 'RATE_LIMIT_RESET_ADDRESS'
  >;
  database: Pick<ServiceDeps['database'], 'sql'>;
}

interface Limit {
  /** Counts one request under a key; undefined where nothing is limited. */
  count(key: string): Promise<LimitState | undefined>;
  /** Takes one request back. */
  takeBack(key: string): Promise<void>;
}

/**
 * The limits of login, registration, passwords, second factors and mails, counted in identity's database: they survive a restart and hold for all
 * replicas together. `off` makes a limit that counts nothing.
 */
export function createLimits({ config, database }: LimitsDeps) {
  const limit = (policy: string, quota: number | 'off', windowSeconds = MINUTE_SECONDS): Limit => {
    if (quota === 'off') return { count: async () => undefined, takeBack: async () => undefined };
    const limiter = new RateLimiterPostgres({
      storeClient: queryableBy(database.sql),
      storeType: 'client',
      tableName: 'rate_limits',
      tableCreated: true, // by the migrations
      clearExpiredByTimeout: false, // `forgetOldLimits`, which stops with the service
      keyPrefix: policy,
      points: quota,
      duration: windowSeconds,
    });
    return {
      async count(key) {
        const counted = await limiter.consume(key).catch((refusal: unknown) => {
          if (refusal instanceof RateLimiterRes) return refusal;
          throw refusal;
        });
        const resetSeconds = Math.max(1, Math.ceil(counted.msBeforeNext / 1_000));
        return { policy, quota, windowSeconds, remaining: quota - counted.consumedPoints, resetSeconds };
      },
      async takeBack(key) {
        await limiter.reward(key);
      },
    };
  };

  const loginByAccount = limit('login', config.RATE_LIMIT_LOGIN);
  const loginByAddress = limit('login-address', config.RATE_LIMIT_LOGIN_ADDRESS);
  const failures = limit('login-failures', config.RATE_LIMIT_LOGIN_FAILURES, HOUR_SECONDS);
  const registerByAddress = limit('register', config.RATE_LIMIT_REGISTER);
  const resetByAddress = limit('reset-address', config.RATE_LIMIT_RESET_ADDRESS, HOUR_SECONDS);
  const resetByAccount = limit('reset', MAILS_AN_HOUR, HOUR_SECONDS);
  const verification = limit('verification', MAILS_AN_HOUR, HOUR_SECONDS);
  const emailChanges = limit('email-change', MAILS_AN_HOUR, HOUR_SECONDS);
  const passwordTries = limit('password', PASSWORD_TRIES, QUARTER_SECONDS);
  const codeTries = limit('second-factor', CODE_TRIES, QUARTER_SECONDS);

  return {
    /**
     * Counts a login from `address` to `account`, whether or not there is such an account: per both, and per address. As long as it has not
     * proved to be a success (`succeeded`) it counts as a failure of the account as well, and above the limit of those only an address that
     * `isKnown` is let in.
     * @throws ProblemError rate_limited
     */
    async login(address: string, account: string, isKnown: () => Promise<boolean>): Promise<LimitState | undefined> {
      const bucket = addressBucket(address);
      const byAddress = withinLimit(await loginByAddress.count(bucket));
      const byAccount = withinLimit(await loginByAccount.count(hashOf(`${account.toLowerCase()} ${bucket}`)));
      const failed = await failures.count(hashOf(account.toLowerCase()));
      // How often others fail at an account is nobody's business: only the refusal tells of it.
      if (failed && failed.remaining < 0 && !(await isKnown())) withinLimit(failed);
      return tightest([byAccount, byAddress].filter((state) => state !== undefined));
    },
    /** Counts a step of a sign-in at a provider from `address`, as a login from there. @throws ProblemError rate_limited */
    atProvider: async (address: string): Promise<LimitState | undefined> =>
      withinLimit(await loginByAddress.count(addressBucket(address))),
    /** The login to `account` that was counted last was none of the failures. */
    succeeded: (account: string): Promise<void> => failures.takeBack(hashOf(account.toLowerCase())),
    /** Counts a registration from `address`. @throws ProblemError rate_limited */
    register: async (address: string): Promise<LimitState | undefined> =>
      withinLimit(await registerByAddress.count(addressBucket(address))),
    /** Counts a request from `address` for a new password. @throws ProblemError rate_limited */
    resetFrom: async (address: string): Promise<LimitState | undefined> =>
      withinLimit(await resetByAddress.count(addressBucket(address))),
    /**
     * Counts a request for a new password of `account`, whether or not there is such an account. False above its limit, which is no refusal:
     * somebody else may have asked, and its person is to hear nothing of that.
     */
    async resetOf(account: string): Promise<boolean> {
      const state = await resetByAccount.count(hashOf(account.toLowerCase()));
      return state === undefined || state.remaining >= 0;
    },
    /** Counts a mail that `userId` asked for to prove their address. @throws ProblemError rate_limited */
    verificationOf: async (userId: string): Promise<LimitState | undefined> =>
      withinLimit(await verification.count(userId)),
    /** Counts a change of address that `userId` asks for. @throws ProblemError rate_limited */
    emailChangeOf: async (userId: string): Promise<LimitState | undefined> =>
      withinLimit(await emailChanges.count(userId)),
    /** Counts a password that `userId` gives as their current one, right or wrong. @throws ProblemError rate_limited */
    passwordOf: async (userId: string): Promise<LimitState | undefined> =>
      withinLimit(await passwordTries.count(userId)),
    /**
     * Counts a code or passkey that is tried as the second factor of `userId`, whatever it is asked for: a new sign-in gives no new tries. As long as it has
     * not proved to be right (`codeWasRight`) it counts as a wrong one. @throws ProblemError rate_limited
     */
    codeOf: async (userId: string): Promise<LimitState | undefined> => withinLimit(await codeTries.count(userId)),
    /** The code of `userId` that was counted last was right. */
    codeWasRight: (userId: string): Promise<void> => codeTries.takeBack(userId),
  };
}

/** @throws ProblemError rate_limited when more was counted than the quota allows */
function withinLimit(state: LimitState | undefined): LimitState | undefined {
  if (!state || state.remaining >= 0) return state;
  throw new ProblemError('rate_limited', `The limit is ${state.quota} ${periodOf(state.windowSeconds)}`, {
    retryAfterSeconds: state.resetSeconds,
    headers: rateLimitHeaders({ ...state, remaining: 0 }),
  });
}

function periodOf(windowSeconds: number): string {
  if (windowSeconds === MINUTE_SECONDS) return 'a minute';
  return windowSeconds === HOUR_SECONDS ? 'an hour' : `in ${windowSeconds / MINUTE_SECONDS} minutes`;
}

/** Deletes windows that ended an hour ago. */
export async function forgetOldLimits(db: ServiceDeps['database']['db']): Promise<void> {
  await db.delete(rateLimits).where(lt(rateLimits.expire, Date.now() - HOUR));
}

/** A hash: the e-mail address that was typed may be anything and of any length, and need not be kept. */
function hashOf(typed: string): string {
  return createHash('sha256').update(typed).digest('base64url');
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

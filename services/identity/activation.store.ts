import { eq, sql } from 'drizzle-orm';
import type { Transaction } from '../../db/client';
import { users } from '../../db/schema/identity';
import { SECOND } from '../../kernel/time';
import type { ServiceDeps } from '../../platform/service';

const CHANNEL = 'identity_user_changed';
/** Notifications are a short cut and may be lost with a connection: the row is looked at this often anyway. */
const POLL_MS = SECOND;

export type SignUpState = 'pending' | 'active' | 'removed';

/** Tells all instances, when the transaction commits, that a sign-up has ended. */
export async function announceUser(tx: Transaction, userId: string): Promise<void> {
  await tx.execute(sql`select pg_notify(${CHANNEL}, ${userId})`);
}

/** What waiting works with; of the driver only LISTEN. */
export interface WatchDeps {
  database: { db: ServiceDeps['database']['db']; sql: { listen: ServiceDeps['database']['sql']['listen'] } };
  logger: ServiceDeps['logger'];
}

/** Waits for sign-ups to end. One LISTEN connection serves all requests of the process. */
export function watchSignUps({ database, logger }: WatchDeps) {
  const waiting = new Map<string, Set<() => void>>();
  // postgres.js listens again by itself after a lost connection; a first one that fails is tried again by the next wait.
  let listening: Promise<unknown> | undefined;

  function listen(): Promise<unknown> {
    listening ??= database.sql
      .listen(CHANNEL, (userId) => {
        for (const wake of waiting.get(userId) ?? []) wake();
      })
      .catch((error: unknown) => {
        logger.warn({ err: error }, 'cannot listen for sign-ups; polling');
        listening = undefined;
      });
    return listening;
  }

  async function stateOf(userId: string): Promise<SignUpState> {
    const [user] = await database.db.select({ status: users.status }).from(users).where(eq(users.id, userId));
    return user?.status ?? 'removed';
  }

  /** Resolves at the next notification about the user or after `ms`, or when `stop` is called. */
  function nextChange(userId: string, ms: number) {
    const wakes = waiting.get(userId) ?? new Set();
    waiting.set(userId, wakes);
    let stop = (): void => undefined;
    const happened = new Promise<void>((resolve) => {
      stop = () => {
        clearTimeout(timer);
        wakes.delete(stop);
        if (wakes.size === 0) waiting.delete(userId);
        resolve();
      };
      const timer = setTimeout(stop, ms);
      wakes.add(stop);
    });
    return { happened, stop };
  }

  return {
    /** What a sign-up has become once it has ended, or `pending` when it has not by `deadline` (epoch milliseconds). */
    async outcome(userId: string, deadline: number): Promise<SignUpState> {
      await listen();
      for (;;) {
        // Registered before the row is read, so that a change in between is not missed.
        const change = nextChange(userId, Math.max(0, Math.min(POLL_MS, deadline - Date.now())));
        const state = await stateOf(userId).catch((error: unknown) => {
          change.stop();
          throw error;
        });
        if (state !== 'pending' || Date.now() >= deadline) {
          change.stop();
          return state;
        }
        await change.happened;
      }
    },
  };
}

import { sql } from 'drizzle-orm';
import type { DatabaseClient, Transaction } from '../../db/client';
import type { Logger } from '../../platform/telemetry';

/** The Postgres channel on which the id of every booking that changed is sent when its transaction commits. */
const CHANNEL = 'booking_changed';

/** Wakes whoever waits for booking `id`, once `tx` commits. */
export async function announce(tx: Transaction, id: string): Promise<void> {
  await tx.execute(sql`select pg_notify(${CHANNEL}, ${id})`);
}

/** Watches one booking. */
export interface Watch {
  /**
   * Resolves at the next announcement since the last call (or since the watch began), or after `ms`. False: the service
   * is closing, nothing will be announced any more.
   */
  next(ms: number): Promise<boolean>;
  stop(): void;
}

export interface Watcher {
  watch(id: string): Watch;
  /** Wakes everybody and watches no more. */
  close(): void;
}

/**
 * Tells waiting requests that a booking changed: one connection listens for the whole service, however many wait. An
 * announcement can be lost while that connection is down, so whoever waits must look again from time to time.
 */
export function createWatcher(database: DatabaseClient, logger: Logger): Watcher {
  const waiting = new Map<string, Set<() => void>>();
  let listening = false;
  let closed = false;

  function listen(): void {
    if (listening) return;
    listening = true;
    const wakeAll = (id: string) => {
      for (const wake of waiting.get(id) ?? []) wake();
    };
    // The driver listens again by itself whenever the connection is lost or could not be had.
    database.sql
      .listen(CHANNEL, wakeAll)
      .catch((err: unknown) => logger.warn({ err }, 'cannot listen for changes yet'));
  }

  return {
    watch(id) {
      listen();
      let announced = false;
      let resume: () => void = () => undefined;
      const wake = () => {
        announced = true;
        resume();
      };
      const group = waiting.get(id) ?? new Set();
      waiting.set(id, group.add(wake));
      return {
        async next(ms) {
          if (!announced && !closed) {
            await new Promise<void>((resolve) => {
              const timer = setTimeout(resolve, ms);
              resume = () => {
                clearTimeout(timer);
                resolve();
              };
            });
          }
          announced = false;
          return !closed;
        },
        stop() {
          group.delete(wake);
          if (group.size === 0) waiting.delete(id);
        },
      };
    },
    close() {
      closed = true;
      for (const group of waiting.values()) for (const wake of group) wake();
    },
  };
}

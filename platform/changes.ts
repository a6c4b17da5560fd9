import { sql } from 'drizzle-orm';
import type { Transaction } from '../db/client';
import { SECOND } from '../kernel/time';
import type { Logger } from './telemetry';

/** The Postgres channel of what changed. One name does for all contexts: each has a database of its own. */
const CHANNEL = 'changed';
/** A notification can be lost with its connection, so whoever waits looks for itself this often. */
const LOOK_EVERY_MS = SECOND;

/** Wakes whoever waits for the thing with this id, in every process, once `tx` commits. */
export async function announce(tx: Transaction, id: string): Promise<void> {
  await tx.execute(sql`select ${notified(id)}`);
}

/** In the RETURNING of a statement that writes that one row: the same as `announce`, without a statement of its own. */
export const announcing = (id: string) => ({ announced: notified(id) });

const notified = (id: string) => sql`pg_notify(${CHANNEL}, ${id})`;

/** A wait for one change. */
export interface Change {
  happened: Promise<void>;
  /** Ends the wait: `happened` resolves. Harmless twice. */
  stop(): void;
}

export interface Changes {
  /**
   * What `read` gives as soon as `isDone` says so of it, at `deadline` (epoch milliseconds), or when the service closes.
   * @throws what `read` throws
   */
  until<T>(id: string, deadline: number, read: () => Promise<T>, isDone: (value: T) => boolean): Promise<T>;
  /**
   * Waits for the next announcement of `id`, for `ms` at most, or until the service closes. Call it before you look, so that a
   * change between the look and the wait is not missed.
   */
  next(id: string, ms: number): Change;
  /** From now on nobody waits: those who do read once more and take what there is. */
  close(): void;
}

/** What hears a channel of a database, as the driver does by a connection of its own. */
interface Ear {
  listen(channel: string, heard: (payload: string) => void, listening: () => void): PromiseLike<unknown>;
}

/**
 * Lets requests wait for changes that are announced in this database: one connection listens for the whole service,
 * however many wait, and none before the first does.
 */
export function createChanges(database: { sql: Ear }, logger: Logger, lookEveryMs = LOOK_EVERY_MS): Changes {
  const waiting = new Map<string, Set<() => void>>();
  let listening = false;
  let closed = false;

  const wake = (id: string) => {
    for (const resume of waiting.get(id) ?? []) resume();
  };
  const wakeAll = () => {
    for (const id of waiting.keys()) wake(id);
  };

  function listen(): void {
    if (listening) return;
    listening = true;
    // The driver listens again by itself whenever the connection is lost or could not be had. What was announced meanwhile
    // nobody heard: so all look when it does.
    database.sql.listen(CHANNEL, wake, wakeAll).then(undefined, (err: unknown) => {
      if (!closed) logger.warn({ err }, 'cannot listen for changes yet; those who wait look for themselves');
    });
  }

  /** Resolves at the next announcement of `id`, after `ms`, or when it is stopped. */
  function nextChange(id: string, ms: number): Change {
    const group = waiting.get(id) ?? new Set();
    let stop = (): void => undefined;
    const happened = new Promise<void>((resolve) => {
      const timer = setTimeout(() => stop(), ms);
      stop = () => {
        // A second stop must not take away the group of those who have come meanwhile.
        if (!group.delete(stop)) return;
        if (group.size === 0) waiting.delete(id);
        clearTimeout(timer);
        resolve();
      };
    });
    waiting.set(id, group.add(stop));
    return { happened, stop };
  }

  return {
    async until(id, deadline, read, isDone) {
      listen();
      for (;;) {
        const left = deadline - Date.now();
        const isLast = left <= 0 || closed;
        // Waits from before the read, so that a change between the two is not missed.
        const change = nextChange(id, Math.min(lookEveryMs, left));
        try {
          const value = await read();
          if (isLast || isDone(value)) return value;
          await change.happened;
        } finally {
          change.stop();
        }
      }
    },
    next(id, ms) {
      listen();
      return nextChange(id, ms);
    },
    close() {
      closed = true;
      wakeAll();
    },
  };
}

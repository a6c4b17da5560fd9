import { sql } from 'drizzle-orm';
import type { DatabaseClient, Transaction } from '../../db/client';

const CHANNEL = 'payment_changed';
/** A notification can be lost with its connection; asking this often finds the change anyway. */
const POLL_MS = 500;

/** Tells all who wait for the payment or refund that it has changed, when the transaction commits. */
export async function announce(tx: Transaction, id: string): Promise<void> {
  await tx.execute(sql`select pg_notify(${CHANNEL}, ${id})`);
}

export type Changes = ReturnType<typeof createChanges>;

/** Waits for changes of payments and refunds: by Postgres' LISTEN, and by asking now and then. */
export function createChanges(database: DatabaseClient) {
  const waiting = new Map<string, Set<() => void>>();
  let listening = false;

  const listen = () => {
    if (listening) return;
    listening = true;
    const wakeAll = (id: string) => {
      for (const wake of waiting.get(id) ?? []) wake();
    };
    // A connection that is lost, or cannot be had yet, is the driver's to get back; until then the polls find the changes.
    database.sql.listen(CHANNEL, wakeAll).catch(() => undefined);
  };

  /** Resolves at the next change of `id`, or after `ms`. */
  const next = (id: string, ms: number) =>
    new Promise<void>((resolve) => {
      const group = waiting.get(id) ?? new Set();
      const done = () => {
        clearTimeout(timer);
        group.delete(done);
        if (group.size === 0) waiting.delete(id);
        resolve();
      };
      const timer = setTimeout(done, ms);
      waiting.set(id, group.add(done));
    });

  return {
    /** What `read` gives as soon as `isDone` says so of it, or when `withinMs` is over. */
    async until<T>(id: string, withinMs: number, read: () => Promise<T>, isDone: (value: T) => boolean): Promise<T> {
      listen();
      const deadline = Date.now() + withinMs;
      for (;;) {
        const left = deadline - Date.now();
        // Waits from before the read, so that a change between the two is not missed.
        const changed = next(id, Math.max(0, Math.min(POLL_MS, left)));
        const value = await read();
        if (isDone(value) || left <= 0) return value;
        await changed;
      }
    },
  };
}

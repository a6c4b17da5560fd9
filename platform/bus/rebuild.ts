import { eq, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../db/client';
import { parkedEvents } from '../../db/schema/platform';
import type { Projection } from './consumer';
import { inStreamOrder } from './in-order';
import { lockCursor } from './store';
import type { Batch, BusReader, Cursor } from './transport';

const BATCH = 500;

export interface Rebuilt {
  /** Events that it was made of. */
  events: number;
  /** Rows by which each table differs from the live one: those that only one of them has. */
  different: Readonly<Record<string, number>>;
  /** Events that the projection has not read yet. A newer one of a keyed topic has taken the place of one that the live rows still show. */
  behind: number;
}

/**
 * Makes a projection anew from the first event up to where it stands, beside its live rows, and compares the two byte by byte. With `replace` the
 * new rows take the place of the live ones; readers see the old until then. The projection waits meanwhile. `db` is a pool of one connection that
 * nothing else has used: a prepared statement could still mean the live table.
 */
export async function rebuild(
  db: Database,
  bus: BusReader,
  projection: Projection,
  { replace }: { replace: boolean },
): Promise<Rebuilt> {
  const { name, topic, tables, apply } = projection;
  return db.transaction(async (tx) => {
    const { cursor } = await lockCursor(tx, name);
    const end = cursor === null ? null : bus.cursor(cursor);
    // What is temporary hides what is not, for every statement that names no schema.
    for (const table of tables) {
      await tx.execute(
        sql`create temporary table ${sql.identifier(table)} (like public.${sql.identifier(table)} including all) on commit drop`,
      );
    }
    const leftOut = await parkedCursors(tx, name);
    let events = 0;
    for (let after: Cursor | null | undefined = null; end && after !== undefined; ) {
      const { items }: Batch = await bus.read(topic, after, BATCH, end);
      const applied = items.filter((item) => !leftOut.has(item.cursor));
      await inStreamOrder(applied, ({ event }) => apply(tx, event));
      events += applied.length;
      after = items.at(-1)?.cursor;
    }
    const different: Record<string, number> = {};
    for (const table of tables) different[table] = await differingRows(tx, table);
    if (replace) for (const table of tables) await replaceRows(tx, table);
    const next = await bus.read(topic, end, 1);
    return { events, different, behind: next.items.length + next.behind };
  });
}

/** What the live rows do not have either: events that wait, and those that an operator skipped. */
async function parkedCursors(tx: Transaction, name: string): Promise<Set<string>> {
  const rows = await tx
    .select({ cursor: parkedEvents.cursor })
    .from(parkedEvents)
    .where(eq(parkedEvents.consumer, name));
  return new Set(rows.map(({ cursor }) => cursor));
}

async function differingRows(tx: Transaction, table: string): Promise<number> {
  const [live, made] = [sql`public.${sql.identifier(table)}`, sql`pg_temp.${sql.identifier(table)}`];
  const rows = await tx.execute<{ count: string }>(sql`
    select count(*) from (
      (select to_jsonb(l) from ${live} l except all select to_jsonb(m) from ${made} m)
      union all
      (select to_jsonb(m) from ${made} m except all select to_jsonb(l) from ${live} l)
    ) as different`);
  return Number(rows[0]?.count);
}

async function replaceRows(tx: Transaction, table: string): Promise<void> {
  const [live, made] = [sql`public.${sql.identifier(table)}`, sql`pg_temp.${sql.identifier(table)}`];
  await tx.execute(sql`delete from ${live}`);
  await tx.execute(sql`insert into ${live} select * from ${made}`);
}

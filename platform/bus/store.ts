import { and, asc, eq, isNull, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../db/client';
import { consumerCursors, parkedEvents } from '../../db/schema/platform';
import type { Consumer } from './consumer';
import type { Cursor, Placed } from './transport';

// What a consumer notes in its own database. Whoever holds the row of its cursor is the one that applies: replicas take turns.

/** After so many tries an event is dead. */
export const MOST_TRIES = 10;
const FIRST_PAUSE_SECONDS = 0.5;
const LONGEST_PAUSE_SECONDS = 60;

export type Parked = typeof parkedEvents.$inferSelect;

/** The cursor as it is stored, made with `first` where there is none. */
export async function beginAt(
  db: Database,
  consumer: Consumer,
  first: () => Promise<Cursor | null>,
): Promise<string | null> {
  const { name, topic } = consumer;
  const stored = () => db.select().from(consumerCursors).where(eq(consumerCursors.consumer, name));
  let [row] = await stored();
  if (!row) {
    await db
      .insert(consumerCursors)
      .values({ consumer: name, topic, cursor: await first() })
      .onConflictDoNothing();
    [row] = await stored();
  }
  return row?.cursor ?? null;
}

/** The cursor, locked until the transaction ends, and the database's time. */
export async function lockCursor(tx: Transaction, name: string): Promise<{ cursor: string | null; now: Date }> {
  const [row] = await tx
    .select({ cursor: consumerCursors.cursor, now: sql<string>`clock_timestamp()` })
    .from(consumerCursors)
    .where(eq(consumerCursors.consumer, name))
    .for('update');
  if (!row) throw new Error(`the consumer ${name} has no cursor`);
  return { cursor: row.cursor, now: new Date(row.now) };
}

export async function moveCursor(tx: Transaction, name: string, cursor: Cursor, leftOut: number): Promise<void> {
  await tx
    .update(consumerCursors)
    .set({ cursor, movedAt: sql`now()`, ...(leftOut > 0 && { leftOut: sql`${consumerCursors.leftOut} + ${leftOut}` }) })
    .where(eq(consumerCursors.consumer, name));
}

const waiting = (name: string) => and(eq(parkedEvents.consumer, name), isNull(parkedEvents.skippedAt));

/** The streams of which events are parked: what comes of them has to stand behind. */
export async function heldStreams(tx: Transaction, name: string): Promise<Set<string>> {
  const rows = await tx.selectDistinct({ streamId: parkedEvents.streamId }).from(parkedEvents).where(waiting(name));
  return new Set(rows.map(({ streamId }) => streamId));
}

/** Parks an event that failed with `error`, or that stands behind one that did. */
export async function park(tx: Transaction, name: string, { event, cursor }: Placed, error?: unknown): Promise<void> {
  await tx.insert(parkedEvents).values({
    consumer: name,
    cursor,
    eventId: event.id,
    streamId: event.subject,
    version: event.streamversion,
    type: event.type,
    ...(error !== undefined && { tries: 1, error: named(error), nextTryAt: after(1) }),
  });
}

/** The first parked event of each stream, where it is due and not dead. */
export async function dueEvents(db: Database, name: string): Promise<Parked[]> {
  const firsts = db
    .selectDistinctOn([parkedEvents.streamId])
    .from(parkedEvents)
    .where(waiting(name))
    .orderBy(parkedEvents.streamId, asc(parkedEvents.id))
    .as('firsts');
  return db
    .select()
    .from(firsts)
    .where(and(isNull(firsts.deadAt), sql`${firsts.nextTryAt} <= now()`))
    .orderBy(firsts.id);
}

/** Takes an event that was applied away. False: somebody else did, or it was skipped. */
export async function unpark(tx: Transaction, id: number): Promise<boolean> {
  const gone = await tx
    .delete(parkedEvents)
    .where(and(eq(parkedEvents.id, id), isNull(parkedEvents.skippedAt)))
    .returning({ id: parkedEvents.id });
  return gone.length > 0;
}

/** Notes one more failed try. @returns whether the event is dead now */
export async function noteFailure(db: Database, { id, tries }: Parked, error: unknown): Promise<boolean> {
  const dead = tries + 1 >= MOST_TRIES;
  await db
    .update(parkedEvents)
    .set({ tries: tries + 1, error: named(error), nextTryAt: after(tries + 1), ...(dead && { deadAt: sql`now()` }) })
    .where(and(eq(parkedEvents.id, id), eq(parkedEvents.tries, tries)));
  return dead;
}

export async function countDead(db: Database, name: string): Promise<number> {
  return db.$count(parkedEvents, and(waiting(name), sql`${parkedEvents.deadAt} is not null`));
}

/** How far each consumer of a context has come, and what it has parked. */
export async function consumerStates(db: Database) {
  const cursors = await db.select().from(consumerCursors).orderBy(asc(consumerCursors.consumer));
  const parked = await db
    .select()
    .from(parkedEvents)
    .where(isNull(parkedEvents.skippedAt))
    .orderBy(asc(parkedEvents.id));
  return cursors.map((row) => ({ ...row, parked: parked.filter(({ consumer }) => consumer === row.consumer) }));
}

/** Has a dead event tried again as if it were new; those behind it follow. False: there is no such dead event. */
export async function retryDead(db: Database, id: number): Promise<boolean> {
  const rows = await db
    .update(parkedEvents)
    .set({ tries: 0, deadAt: null, nextTryAt: sql`now()` })
    .where(and(eq(parkedEvents.id, id), isNull(parkedEvents.skippedAt), sql`${parkedEvents.deadAt} is not null`))
    .returning({ id: parkedEvents.id });
  return rows.length > 0;
}

/** Gives a dead event up, for a reason: those behind it follow. False: there is no such dead event. */
export async function skipDead(db: Database, id: number, reason: string): Promise<boolean> {
  const rows = await db
    .update(parkedEvents)
    .set({ skippedAt: sql`now()`, skipReason: reason })
    .where(and(eq(parkedEvents.id, id), isNull(parkedEvents.skippedAt), sql`${parkedEvents.deadAt} is not null`))
    .returning({ id: parkedEvents.id });
  return rows.length > 0;
}

function after(tries: number) {
  const seconds = Math.min(FIRST_PAUSE_SECONDS * 2 ** (tries - 1), LONGEST_PAUSE_SECONDS);
  return sql`now() + make_interval(secs => ${seconds})`;
}

/** An error without its message, which can hold what an event said. */
function named(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  const { cause } = error;
  const code = cause instanceof Error && 'code' in cause ? ` ${String(cause.code)}` : '';
  return `${error.name}${code}`;
}

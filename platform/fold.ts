import { randomInt } from 'node:crypto';
import { asc, getTableName, inArray, sql } from 'drizzle-orm';
import type { PgTable } from 'drizzle-orm/pg-core';
import { type Database, type Transaction, theOnly } from '../db/client';
import { events } from '../db/schema/platform';
import type { Columns, Told } from '../kernel/fold';
import { codeOf, type EventSchemas, type Happened, isHappened } from './event-schema';
import type { CheckFolds, FoldsChecked } from './schemas';
import { counter } from './telemetry';

const differing = counter('folds_different_total', 'Rows that were found to be not what their events say', ['kind']);

/** Two rows of a table, or a row and what its events tell of it, as they can be compared. */
export type ToldColumns = Readonly<Record<string, Told>>;

/** A table whose rows are what their events say. The id of a row is that of its stream. */
export interface Fold<Schemas extends EventSchemas, Row extends { id: string }> {
  /** What one of its rows is called in reports. */
  kind: string;
  table: PgTable;
  schemas: Schemas;
  /** What is declared of the table's columns. */
  columns: Columns;
  /** The row that events tell of, in the order of their versions; null when they tell of none. */
  fold(events: readonly Happened<Schemas>[]): ToldColumns | null;
  /** These rows, in any order; those that there are not are left out. */
  read(tx: Transaction, ids: readonly string[]): Promise<Row[]>;
  /** The row, locked as its writers lock it until the transaction ends. @throws ProblemError not_found */
  lock(tx: Transaction, id: string): Promise<Row>;
  /** Appends the event at which the fold of a locked row begins anew. */
  baseline(tx: Transaction, row: Row): Promise<void>;
}

/** A table that can be held to its events, whatever its rows are. */
export interface FoldedTable {
  kind: string;
  table: PgTable;
  /** How many of these rows there are, and those that are not what their events say, by their columns. */
  differing(tx: Transaction, ids: readonly string[]): Promise<FoldsChecked>;
  /** Has the fold of a row begin anew with the row as it stands. @returns whether it had to: false where it said so already. @throws ProblemError not_found */
  rebase(db: Database, id: string): Promise<boolean>;
}

/** What events tell of a row's columns. @throws Error where a column that is told holds what no event can tell: a defect of the declaration */
export function toldOf(columns: Columns, row: object): ToldColumns {
  const told: Record<string, Told> = {};
  for (const [name, value] of Object.entries(row)) {
    const declared = columns[name];
    if (typeof declared !== 'string') continue;
    const one = asTold(name, value);
    told[name] = declared === 'told_as_code' && typeof one === 'string' ? codeOf(one) : one;
  }
  return told;
}

function asTold(name: string, value: unknown): Told {
  if (value instanceof Date) return value.toISOString();
  if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
    return value;
  throw new Error(`${name} is declared as told and holds what no event tells`);
}

/** The columns in which the two differ; where there is only one of them, all. */
export function differencesOf(one: ToldColumns | null, other: ToldColumns | null): string[] {
  const names = new Set([...Object.keys(one ?? {}), ...Object.keys(other ?? {})]);
  return [...names].filter((name) => one?.[name] !== other?.[name]);
}

/** Makes a table's fold one that can be checked. */
export function foldedTable<Schemas extends EventSchemas, Row extends { id: string }>(
  of: Fold<Schemas, Row>,
): FoldedTable {
  const { kind, columns } = of;

  async function compared(tx: Transaction, rows: readonly Row[]): Promise<{ row: Row; columns: string[] }[]> {
    const streams = await eventsOf(
      tx,
      of.schemas,
      rows.map(({ id }) => id),
    );
    return rows.map((row) => ({
      row,
      columns: differencesOf(toldOf(columns, row), of.fold(streams.get(row.id) ?? [])),
    }));
  }

  return {
    kind,
    table: of.table,
    async differing(tx, ids) {
      const rows = await of.read(tx, ids);
      const found = (await compared(tx, rows)).filter((one) => one.columns.length > 0);
      return { checked: rows.length, different: found.map((one) => ({ kind, id: one.row.id, columns: one.columns })) };
    },
    async rebase(db, id) {
      return db.transaction(async (tx) => {
        const { row, columns: found } = theOnly(await compared(tx, [await of.lock(tx, id)]));
        if (found.length > 0) await of.baseline(tx, row);
        return found.length > 0;
      });
    },
  };
}

/**
 * Holds random rows of these tables to their events, `limit` in all. Rows and events are read in one snapshot, so that what is written meanwhile is
 * no difference. What is found is counted and told, and never corrected. `seed`: of the choice; left out, each time another.
 */
export async function checkFolds(
  db: Database,
  tables: readonly FoldedTable[],
  { limit, seed = randomInt(2 ** 31) }: CheckFolds,
): Promise<FoldsChecked> {
  const found = await db.transaction(
    async (tx) => {
      const each: FoldsChecked[] = [];
      for (const table of tables) {
        const ids = await someIds(tx, table.table, Math.ceil(limit / tables.length), seed);
        each.push(await table.differing(tx, ids));
      }
      return each;
    },
    { isolationLevel: 'repeatable read', accessMode: 'read only' },
  );
  const different = found.flatMap((one) => one.different);
  for (const { kind } of different) differing.inc({ kind });
  return { checked: found.reduce((sum, { checked }) => sum + checked, 0), different };
}

/**
 * The ids of about `limit` rows, and no more. Postgres chooses blocks of the table by chance and reads those alone; a table of few rows is read whole.
 * Random points among ids would meet few payouts: some have ids by name, the others by time.
 */
async function someIds(tx: Transaction, table: PgTable, limit: number, seed: number): Promise<string[]> {
  const known = await tx.execute<{ rows: number }>(
    sql`select reltuples::float8 as rows from pg_class where oid = ${getTableName(table)}::regclass`,
  );
  // Below one where nobody has counted yet: then the first `limit` rows are what there is.
  const percent = Math.min(100, (100 * limit) / Math.max(1, theOnly(known).rows));
  const ids = await tx.execute<{ id: string }>(
    sql`select id from ${table} tablesample system (${percent}) repeatable (${seed}) limit ${limit}`,
  );
  return ids.map(({ id }) => id);
}

/** The events of each of these streams, in the order of their versions. What is not as its schema says tells nothing. */
async function eventsOf<Schemas extends EventSchemas>(
  tx: Transaction,
  schemas: Schemas,
  ids: readonly string[],
): Promise<ReadonlyMap<string, Happened<Schemas>[]>> {
  const { streamId, type, data, occurredAt, version } = events;
  const rows = await tx
    .select({ streamId, type, data, occurredAt })
    .from(events)
    .where(inArray(streamId, [...ids]))
    .orderBy(asc(streamId), asc(version));
  const streams = new Map<string, Happened<Schemas>[]>();
  for (const row of rows) {
    const happened: unknown = { type: row.type, data: row.data, at: row.occurredAt.toISOString() };
    if (!isHappened(schemas, happened)) continue;
    const stream = streams.get(row.streamId) ?? [];
    streams.set(row.streamId, stream);
    stream.push(happened);
  }
  return streams;
}

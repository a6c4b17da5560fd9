import { inArray } from 'drizzle-orm';
import { integer, pgTable, text, uuid } from 'drizzle-orm/pg-core';
import { z } from 'zod';
import { theOnly } from '../db/client';
import { createTestDatabase, type TestDatabase } from '../tests/support/database';
import { Code, event, Id } from './event-schema';
import { checkFolds, type Fold, foldedTable, toldOf } from './fold';
import { uuidv7 } from './ids';
import { appendEvent, appendEvents } from './outbox';
import { metrics } from './telemetry';

const things = pgTable('things', { id: uuid().primaryKey(), size: integer().notNull(), word: text() });
const EVENTS = {
  Grown: event('A thing is of another size.', { thingId: Id, size: z.int(), word: Code.nullable() }),
};

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase('notification');
  await database.sql`create table things (id uuid primary key, size integer not null, word text)`;
});
afterAll(() => database.drop());
beforeEach(() => database.sql`truncate things, events`);

type Thing = typeof things.$inferSelect;
const told = ({ id, size }: { id: string; size: number }) => ({
  streamId: id,
  type: 'Grown' as const,
  data: { thingId: id, size, word: null },
});
const fold: Fold<typeof EVENTS, Thing> = {
  kind: 'thing',
  table: things,
  schemas: EVENTS,
  columns: { id: 'told', size: 'told', word: 'told_as_code' },
  fold: (events) => {
    const last = events.at(-1);
    return last ? { id: last.data.thingId, size: last.data.size, word: last.data.word } : null;
  },
  read: (tx, ids) =>
    tx
      .select()
      .from(things)
      .where(inArray(things.id, [...ids])),
  lock: async (tx, id) =>
    theOnly(
      await tx
        .select()
        .from(things)
        .where(inArray(things.id, [id]))
        .for('update'),
    ),
  baseline: (tx, row) => appendEvent(tx, EVENTS, told(row)),
};
const folded = foldedTable(fold);

async function grown(id: string, size: number): Promise<void> {
  await database.db.transaction(async (tx) => {
    await tx.insert(things).values({ id, size }).onConflictDoUpdate({ target: things.id, set: { size } });
    await appendEvent(tx, EVENTS, told({ id, size }));
  });
}

const check = (limit: number, seed?: number) => checkFolds(database.db, [folded], { limit, seed });

test('a row that says something else than its events is found by its columns, and counted', async () => {
  const [same, other, silent] = [uuidv7(), uuidv7(), uuidv7()];
  for (const id of [same, other]) await grown(id, 1);
  expect(await check(10)).toEqual({ checked: 2, different: [] });
  await database.sql`update things set size = 2 where id = ${other}`;
  await database.sql`insert into things values (${silent}, 1, null)`;
  const { checked, different } = await check(10);
  expect(checked).toBe(3);
  expect(different).toHaveLength(2);
  expect(different).toContainEqual({ kind: 'thing', id: other, columns: ['size'] });
  expect(different).toContainEqual({ kind: 'thing', id: silent, columns: ['id', 'size', 'word'] });
  expect(await metrics.metrics()).toContain('folds_different_total{kind="thing"} 2');
});

test('an event that is not as its schema says tells nothing', async () => {
  const id = uuidv7();
  await grown(id, 1);
  await database.sql`insert into events (event_id, stream_id, version, type, data)
    values (${uuidv7()}, ${id}, 2, 'Grown', '{"size": 2}'), (${uuidv7()}, ${id}, 3, 'Unknown', '{}')`;
  expect(await check(10)).toEqual({ checked: 1, different: [] });
});

test('a row that is changed while it is looked at is no difference', async () => {
  const id = uuidv7();
  await grown(id, 1);
  const meanwhile = foldedTable({
    ...fold,
    async read(tx, ids) {
      const rows = await fold.read(tx, ids);
      await grown(id, 2);
      return rows;
    },
  });
  expect(await checkFolds(database.db, [meanwhile], { limit: 10 })).toEqual({ checked: 1, different: [] });
});

test('of many rows about so many are looked at, by chance, and the same ones for the same seed', async () => {
  await database.sql`insert into things select gen_random_uuid(), 1, null from generate_series(1, 20000)`;
  await database.sql`analyze things`;
  const idsOf = async (seed?: number) => (await check(1_000, seed)).different.map(({ id }) => id).toSorted();
  const [first, again, another] = [await idsOf(1), await idsOf(1), await idsOf(2)];
  expect(first.length).toBeGreaterThan(100);
  expect(first.length).toBeLessThanOrEqual(1_000);
  expect(again).toEqual(first);
  expect(another).not.toEqual(first);
  expect(await idsOf()).not.toEqual(await idsOf());
});

test('the fold of a row begins anew with the row as it stands, once', async () => {
  const id = uuidv7();
  await grown(id, 1);
  expect(await folded.rebase(database.db, id)).toBe(false);
  await database.sql`update things set size = 2 where id = ${id}`;
  const both = await Promise.all([folded.rebase(database.db, id), folded.rebase(database.db, id)]);
  expect(both.toSorted()).toEqual([false, true]);
  expect((await check(10)).different).toEqual([]);
});

test('events that are written at once have the versions of their streams in their order', async () => {
  const [one, two] = [uuidv7(), uuidv7()];
  await grown(one, 1);
  const sizes = [told({ id: one, size: 2 }), told({ id: two, size: 3 }), told({ id: one, size: 4 })];
  await database.db.transaction((tx) => appendEvents(tx, EVENTS, sizes));
  await database.db.transaction((tx) => appendEvents(tx, EVENTS, []));
  const rows =
    await database.sql`select stream_id = ${one} as first, version, data -> 'size' as size from events order by position`;
  expect(rows.map(({ first, version, size }) => [first, version, size])).toEqual([
    [true, 1, 1],
    [true, 2, 2],
    [false, 1, 3],
    [true, 3, 4],
  ]);
});

test('a vendor’s word is told as a code, and what no event can tell is no column of it', () => {
  expect(toldOf(fold.columns, { id: 'a', size: 1, word: 'Do not honour!', more: [] })).toEqual({
    ...{ id: 'a', size: 1, word: 'other' },
  });
  expect(() => toldOf({ size: 'told' }, { size: [1] })).toThrow('size is declared as told');
});

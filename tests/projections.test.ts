import { DATABASE_CONTEXTS, type DatabaseContext } from '../kernel/modules';
import type { Projection } from '../platform/bus/consumer';
import { definitionOf } from '../services';
import { createTestDatabase } from './support/database';
import { filesBelow, textOf } from './support/repository';

// A projection can be made anew from the first event on, and comes out the same: nothing in it is of the moment in which it was made.

/** What gives another value each time. */
const OF_THE_MOMENT =
  /\bnow\(\)|\bclock_timestamp\(|current_timestamp|\bDate\.now\(|new Date\(\)|random|uuid(?:v7|4)\(|gen_random/i;

function projections(): { context: DatabaseContext; projection: Projection }[] {
  return DATABASE_CONTEXTS.flatMap((context) =>
    (definitionOf(context).consumers ?? []).flatMap((consumer) =>
      consumer.kind === 'projection' ? [{ context, projection: consumer }] : [],
    ),
  );
}

/** What stands in a file from its projection on, if it has one. */
function projectionIn(text: string): string | undefined {
  const at = text.search(/: Projection = \{/);
  return at === -1 ? undefined : text.slice(at);
}

test('there are projections, and each stands in a file where it is found', () => {
  const files = filesBelow('services', (path) => path.endsWith('.ts') && projectionIn(textOf(path)) !== undefined);
  expect(files.length).toBeGreaterThan(1);
  expect(files).toHaveLength(projections().length);
});

test('none takes the time, an id or chance from where it runs', () => {
  const faults = filesBelow('services', (path) => path.endsWith('.ts')).filter((path) =>
    OF_THE_MOMENT.test(projectionIn(textOf(path)) ?? ''),
  );
  expect(faults).toEqual([]);
  for (const planted of ['set({ at: sql`now()` })', 'id: uuidv7()', 'Date.now() + 1', 'default gen_random_uuid()'])
    expect(projectionIn(`const x: Projection = {\n  ${planted}`)).toMatch(OF_THE_MOMENT);
});

test.each(projections().map(({ context, projection }) => [context, projection.name, projection] as const))(
  'no column that %s has for %s has such a default, and none of its tables is another’s',
  async (context, _name, { tables }) => {
    const database = await createTestDatabase(context);
    try {
      const columns = await database.sql<{ table: string; column: string; default: string | null }[]>`
        select table_name as table, column_name as column, column_default as default
        from information_schema.columns where table_schema = 'public' and table_name = any(${tables})`;
      expect(new Set(columns.map(({ table }) => table))).toEqual(new Set(tables));
      expect(
        columns.filter((column) => OF_THE_MOMENT.test(column.default ?? '') || /nextval/.test(column.default ?? '')),
      ).toEqual([]);
      const others = projections().filter((one) => one.context === context && one.projection.name !== _name);
      for (const other of others) expect(other.projection.tables.filter((table) => tables.includes(table))).toEqual([]);
    } finally {
      await database.drop();
    }
  },
);

import { getTableColumns, sql } from 'drizzle-orm';
import type { PgTable } from 'drizzle-orm/pg-core';
import type { Database } from '../../db/client';
import type { Columns } from '../../kernel/fold';
import type { FoldedTable } from '../../platform/fold';
import type { FoldsChecked } from '../../platform/schemas';

const FIRST_ID = '00000000-0000-0000-0000-000000000000';

/** Expects of the rows of these tables that they are what their events say: of all, or of those whose ids are as late as `from`. */
export async function expectFolded(db: Database, tables: readonly FoldedTable[], from = FIRST_ID): Promise<void> {
  const different = await db.transaction(
    async (tx) => {
      const found: FoldsChecked['different'] = [];
      for (const { table, differing } of tables) {
        const rows = await tx.execute<{ id: string }>(sql`select id from ${table} where id >= ${from}`);
        const ids = rows.map(({ id }) => id);
        const all = await differing(tx, ids);
        expect(all.checked).toBe(ids.length);
        found.push(...all.different);
      }
      return found;
    },
    { isolationLevel: 'repeatable read' },
  );
  expect(different).toEqual([]);
}

/** What is wrong with what is declared of a table: columns that are not declared, or are not there, and reasons that say nothing. */
export function faultsOfColumns(table: PgTable, columns: Columns): string[] {
  const there = Object.keys(getTableColumns(table));
  const declared = Object.entries(columns);
  return [
    ...there.filter((name) => !(name in columns)).map((name) => `${name}: is not declared`),
    ...declared.filter(([name]) => !there.includes(name)).map(([name]) => `${name}: is no column`),
    ...declared.flatMap(([name, one]) =>
      typeof one === 'string' || one.because.split(' ').length >= 4 ? [] : [`${name}: its reason says nothing`],
    ),
  ];
}

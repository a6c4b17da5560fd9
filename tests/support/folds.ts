import { getTableColumns } from 'drizzle-orm';
import type { PgTable } from 'drizzle-orm/pg-core';
import type { Database } from '../../db/client';
import type { Columns } from '../../kernel/fold';
import { checkFolds, type FoldedTable } from '../../platform/fold';
import { MOST_CHECKED } from '../../platform/schemas';

/** Expects of every row of these tables, which are few, that it is what its events say. */
export async function expectFolded(db: Database, ...tables: FoldedTable[]): Promise<void> {
  for (const table of tables) {
    const { checked, different } = await checkFolds(db, [table], { limit: MOST_CHECKED });
    expect(different).toEqual([]);
    // More would not all be looked at.
    expect(checked).toBeLessThan(MOST_CHECKED);
  }
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

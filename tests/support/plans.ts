import { drizzle } from 'drizzle-orm/postgres-js';
import type { Database } from '../../db/client';
import type { TestDatabase } from './database';

/**
 * How Postgres would run what `read` asks, by the SQL and the values that it sends: a plan for each query, as EXPLAIN prints it
 * without what hangs on single rows (SubPlan). The table's statistics must be up to date.
 */
export async function plansOf(database: TestDatabase, read: (db: Database) => Promise<unknown>): Promise<string[]> {
  const asked: { text: string; values: unknown[] }[] = [];
  const logger = { logQuery: (text: string, values: unknown[]) => void asked.push({ text, values }) };
  await read(drizzle(database.sql, { logger })).catch((error: unknown) => {
    if (asked.length === 0) throw error; // what is not found was looked for
  });
  return Promise.all(
    asked.map(async ({ text, values }) => {
      const rows = await database.sql.unsafe(
        `explain ${text}`,
        values.map((value) => (Array.isArray(value) ? `{${value.join()}}` : value === null ? null : String(value))),
      );
      const lines = rows.map((row) => String(row['QUERY PLAN']));
      const details = lines.findIndex((line) => line.includes('SubPlan'));
      return lines.slice(0, details < 0 ? undefined : details).join('\n');
    }),
  );
}

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres, { type Sql } from 'postgres';
import { ensureDatabase, migrateDatabase } from '../../db/migrate';
import { ownerUrl } from '../../db/roles';
import type { DatabaseContext } from '../../kernel/modules';
import { ROOT } from './repository';

const SECRET = 'only-for-tests-only-for-tests-only-for-tests';

/** The migrations of a context up to the one whose name ends with `name`, and that one too if it is `included`. */
function migrationsUpTo(context: DatabaseContext, name: string, included: boolean): string {
  const folder = mkdtempSync(join(tmpdir(), 'tutorconnect-migrations-'));
  cpSync(join(ROOT, 'db/migrations', context), folder, { recursive: true });
  const path = join(folder, 'meta/_journal.json');
  const journal: { entries: { tag: string }[] } = JSON.parse(readFileSync(path, 'utf8'));
  const end = journal.entries.findIndex(({ tag }) => tag.endsWith(name));
  expect(end).toBeGreaterThan(0);
  writeFileSync(path, JSON.stringify({ ...journal, entries: journal.entries.slice(0, included ? end + 1 : end) }));
  return folder;
}

/** Stores rows in a database as it was before the migration `name`, and looks at them after it: `alone`, or after all that have come since. */
export async function migrated<T>(
  server: { url: string },
  { context, name, alone = false }: { context: DatabaseContext; name: string; alone?: boolean },
  before: (sql: Sql) => Promise<unknown>,
  after: (sql: Sql) => Promise<T>,
): Promise<T> {
  await ensureDatabase(server.url, context, SECRET);
  const url = ownerUrl(server.url, context, SECRET);
  const folder = migrationsUpTo(context, name, false);
  const then = alone ? migrationsUpTo(context, name, true) : undefined;
  await migrateDatabase(url, context, folder);
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  try {
    await before(sql);
    await migrateDatabase(url, context, then);
    return await after(sql);
  } finally {
    await sql.end();
    for (const each of [folder, then]) if (each) rmSync(each, { recursive: true });
  }
}

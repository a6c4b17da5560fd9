import { randomBytes } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import postgres from 'postgres';
import { type DatabaseClient, openDatabase } from '../../db/client';
import { migrateContext } from '../../db/migrate';
import { withLock } from '../../dev/processes/lock';
import type { DatabaseContext } from '../../kernel/modules';

/** The server of this test run. @throws Error outside `jest` with the project's configuration */
export function serverUrl(): string {
  const url = process.env.TEST_POSTGRES_URL;
  if (!url) throw new Error('TEST_POSTGRES_URL is not set: run the tests by `npm test` or `npx jest`');
  return url;
}

export interface TestDatabase extends DatabaseClient {
  url: string;
  /** Closes the pool and drops the database. */
  drop(): Promise<void>;
}

/** A fresh database with the context's migrations applied, for one test file. */
export async function createTestDatabase(context: DatabaseContext): Promise<TestDatabase> {
  const name = `${context}_${randomBytes(6).toString('hex')}`;
  const template = await migratedTemplate(context);
  await onServer((sql) => sql`create database ${sql(name)} template ${sql(template)}`);
  const url = urlOf(name);
  const client = openDatabase(url, { poolSize: 20, applicationName: name });
  return {
    ...client,
    url,
    async drop() {
      await client.close();
      await onServer((sql) => sql`drop database ${sql(name)} with (force)`);
    },
  };
}

/** A database of this run that is only copied: to migrate one takes many times as long. The first test file that asks makes it. */
async function migratedTemplate(context: DatabaseContext): Promise<string> {
  const { TEST_FOLDER: folder } = process.env;
  if (!folder) throw new Error('TEST_FOLDER is not set: run the tests by `npm test` or `npx jest`');
  const name = `${context}_template`;
  const isMade = join(folder, name);
  if (existsSync(isMade)) return name;
  await withLock(`${isMade}.lock`, async () => {
    if (existsSync(isMade)) return;
    await onServer(async (sql) => {
      // Of a test process that was ended while it made one.
      await sql`drop database if exists ${sql(name)} with (force)`;
      await sql`create database ${sql(name)}`;
    });
    await migrateContext(urlOf(name), context);
    writeFileSync(isMade, '');
  });
  return name;
}

function urlOf(database: string): string {
  const url = new URL(serverUrl());
  url.pathname = `/${database}`;
  return url.toString();
}

async function onServer<T>(work: (sql: postgres.Sql) => Promise<T>): Promise<T> {
  const sql = postgres(serverUrl(), { max: 1, onnotice: () => undefined });
  try {
    return await work(sql);
  } finally {
    await sql.end();
  }
}

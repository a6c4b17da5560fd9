import { randomBytes } from 'node:crypto';
import postgres from 'postgres';
import { type DatabaseClient, openDatabase } from '../../db/client';
import { migrateContext } from '../../db/migrate';
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
  await onServer((sql) => sql`create database ${sql(name)}`);
  const url = new URL(serverUrl());
  url.pathname = `/${name}`;
  await migrateContext(url.toString(), context);
  const client = openDatabase(url.toString(), { poolSize: 20, applicationName: name });
  return {
    ...client,
    url: url.toString(),
    async drop() {
      await client.close();
      await onServer((sql) => sql`drop database ${sql(name)} with (force)`);
    },
  };
}

async function onServer<T>(work: (sql: postgres.Sql) => Promise<T>): Promise<T> {
  const sql = postgres(serverUrl(), { max: 1, onnotice: () => undefined });
  try {
    return await work(sql);
  } finally {
    await sql.end();
  }
}

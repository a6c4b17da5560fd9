import { randomBytes } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import postgres from 'postgres';
import { type DatabaseClient, openDatabase } from '../../db/client';
import { migrateDatabase } from '../../db/migrate';
import { BUS_ROLES, type DatabaseOwner } from '../../db/roles';
import { withLock } from '../../dev/processes/lock';

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

/** A fresh database with the migrations of a context or of the event bus applied, for one test file. */
export async function createTestDatabase(owner: DatabaseOwner): Promise<TestDatabase> {
  const name = `${owner}_${randomBytes(6).toString('hex')}`;
  const template = await migratedTemplate(owner);
  await onServer((sql) => sql`create database ${sql(name)} template ${sql(template)}`);
  const url = urlOf(name);
  // A machine that runs the whole suite can need seconds to connect, which says nothing of the code under test.
  const client = openDatabase(url, { poolSize: 20, applicationName: name, connectedWithinSeconds: 20 });
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
async function migratedTemplate(owner: DatabaseOwner): Promise<string> {
  const { TEST_FOLDER: folder } = process.env;
  if (!folder) throw new Error('TEST_FOLDER is not set: run the tests by `npm test` or `npx jest`');
  const name = `${owner}_template`;
  const isMade = join(folder, name);
  if (existsSync(isMade)) return name;
  await withLock(`${isMade}.lock`, async () => {
    if (existsSync(isMade)) return;
    await onServer(async (sql) => {
      // Of a test process that was ended while it made one.
      await sql`drop database if exists ${sql(name)} with (force)`;
      await sql`create database ${sql(name)}`;
      // Its migrations grant them what they may; who tests that has a server of its own.
      for (const role of owner === 'bus' ? BUS_ROLES : []) await sql`create role ${sql(role)}`;
    });
    await migrateDatabase(urlOf(name), owner);
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

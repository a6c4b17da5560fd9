import { sql } from 'drizzle-orm';
import postgres from 'postgres';
import { type DatabaseClient, openDatabase } from '../db/client';
import { createTestDatabase, type TestDatabase } from '../tests/support/database';
import { type DatabaseFront, type FrontMode, startDatabaseFront } from '../tests/support/database-front';
import { asProblem } from './problem';

// Connections that end, and connections that cannot be had: the query fails or waits, and nothing else happens to the process.

let database: TestDatabase;
let front: DatabaseFront;
let client: DatabaseClient;
let operator: postgres.Sql;

beforeAll(async () => {
  database = await createTestDatabase('notification');
  front = await startDatabaseFront(database.url);
  operator = postgres(database.url, { max: 1, fetch_types: false });
});
afterAll(async () => {
  await operator.end();
  await front.close();
  await database.drop();
});
beforeEach(() => {
  front.become('open');
  client = openDatabase(front.urlOf(database.url), { poolSize: 2, applicationName: 'ended' });
});
afterEach(() => client.close());

/** As a failover, a restarted pooler or an administrator ends them. */
const endAll = () => operator`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'ended'`;
const ask = () => client.sql<{ n: number }[]>`select 1 as n`;
const problemOf = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => asProblem(error),
  );

describe('connections that end', () => {
  test('between two statements of a transaction: it fails, and the next one goes on', async () => {
    const later: string[] = [];
    const transaction = client.db.transaction(async (tx) => {
      await tx.execute(sql`select 1`);
      await endAll();
      for (const _ of [1, 2]) {
        const problem = await problemOf(tx.execute(sql`select 2`));
        later.push(String(problem?.code));
      }
      // As a caller that swallows it: what ends the transaction has nothing to be sent by either.
    });
    expect(await problemOf(transaction)).toMatchObject({ code: 'upstream_unavailable', status: 503 });
    await expect(ask()).resolves.toEqual([{ n: 1 }]);
    expect(later.filter((code) => code !== 'upstream_unavailable')).toEqual([]);
  });

  test('thirty times under load: whoever is hit is told to ask again, and nobody else fails', async () => {
    const ids = ['0191d0a0-0000-7000-8000-000000000000'];
    const works = [
      () => client.db.execute(sql`select pg_sleep(0.002)`),
      () => client.sql`select 1 where ${ids[0] ?? ''}::uuid = any(${ids}::uuid[])`,
      () => client.db.transaction(async (tx) => tx.transaction((inner) => inner.execute(sql`select pg_sleep(0.002)`))),
      () =>
        client.db.transaction(async (tx) => {
          await tx.execute(sql`select pg_sleep(0.001)`);
          await Promise.all([tx.execute(sql`select 1`), tx.execute(sql`select 2`)]);
        }),
    ];
    let isOver = false;
    const codes = new Set<string | undefined>();
    let answered = 0;
    const lanes = Array.from({ length: 12 }, async (_, lane) => {
      for (let turn = lane; !isOver; turn++) {
        codes.add((await problemOf(Promise.resolve(works[turn % works.length]?.())))?.code);
        answered++;
      }
    });
    for (let round = 0; round < 30; round++) {
      const before = answered;
      while (answered < before + 24) await new Promise((resolve) => setImmediate(resolve));
      await endAll();
    }
    isOver = true;
    await Promise.all(lanes);
    expect([...codes].toSorted()).toEqual(['upstream_unavailable', undefined]);
    await expect(ask()).resolves.toEqual([{ n: 1 }]);
  });
});

describe('connections that cannot be had', () => {
  test.each<FrontMode>(['closes', 'starting'])('for a moment (%s): the query waits and is answered', async (mode) => {
    front.become(mode);
    const asked = Promise.all([ask(), ask(), ask()]);
    await front.tried(3);
    front.become('open');
    await expect(asked).resolves.toEqual([[{ n: 1 }], [{ n: 1 }], [{ n: 1 }]]);
  });

  test.each<FrontMode>(['closes', 'starting', 'hangs'])(
    'for good (%s): all are told to ask again, however many wait behind each other, and those who come later are answered',
    async (mode) => {
      front.become(mode);
      const refused = await Promise.all(Array.from({ length: 60 }, () => problemOf(ask())));
      expect(new Set(refused.map((problem) => problem?.code))).toEqual(new Set(['upstream_unavailable']));
      expect(refused[0]?.more.retryAfterSeconds).toBeGreaterThan(0);
      front.become('open');
      let answer: unknown;
      // The last attempt of before may still be under way.
      while (!answer) answer = await ask().catch(() => undefined);
      expect(answer).toEqual([{ n: 1 }]);
    },
  );

  test('is tried again at least twice a second, however long it has been away', () => {
    const { backoff } = client.sql.options;
    if (typeof backoff !== 'function') throw new Error('the pause is to grow');
    expect([1, 2, 3, 10, 10_000].map((retries) => backoff(retries) > 0 && backoff(retries) <= 0.5)).not.toContain(
      false,
    );
  });

  test('whoever waits for a connection that is in use waits for as long as the statements before take', async () => {
    // Longer than a connection that cannot be had is waited for.
    const slow = [1, 2].map(() => client.db.execute(sql`select pg_sleep(2)`));
    await Promise.all(slow.map((query) => Promise.race([query, ask()])));
    await expect(ask()).resolves.toEqual([{ n: 1 }]);
    await Promise.all(slow);
  });
});

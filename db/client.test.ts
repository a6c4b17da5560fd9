import { dirname, join } from 'node:path';
import { sql } from 'drizzle-orm';
import { createTestDatabase, type TestDatabase } from '../tests/support/database';
import { openDatabase, sqlState, violatedConstraint } from './client';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase('notification');
  await database.sql`create table seats (id int constraint one_each primary key, held int references seats)`;
  await database.sql`insert into seats values (1, null)`;
});
afterAll(() => database.drop());

const failing = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

test('the state and the constraint of a failed statement are found below what drizzle wrapped it in', async () => {
  const double = await failing(database.db.execute(sql`insert into seats values (1, null)`));
  expect([sqlState(double), violatedConstraint(double)]).toEqual(['23505', 'one_each']);
  const dangling = await failing(database.db.execute(sql`insert into seats values (2, 9)`));
  expect([sqlState(dangling), violatedConstraint(dangling)]).toEqual(['23503', 'seats_held_fkey']);
  const raw = await failing(database.sql`select nonsense`);
  expect([sqlState(raw), violatedConstraint(raw)]).toEqual(['42703', undefined]);
});

test.each([
  [undefined],
  ['23505'],
  [new Error('no code')],
  [Object.assign(new Error('broken pipe'), { code: 'EPIPE', errno: -32 })],
])('%p has no state', (error) => {
  expect(sqlState(error)).toBeUndefined();
  expect(violatedConstraint(error)).toBeUndefined();
});

test('a server that is not there has no state and fails the query, not the opening', async () => {
  const client = openDatabase('postgres://nobody:x@127.0.0.1:1/none', { poolSize: 1, applicationName: 'test' });
  const error = await failing(client.db.execute(sql`select 1`));
  expect(error).toBeDefined();
  expect(sqlState(error)).toBeUndefined();
  await client.close();
});

test('no statement, lock or forgotten transaction can hang for ever, and each connection says whose it is', async () => {
  const [row] = await database.sql`
    select current_setting('statement_timeout') as statement, current_setting('lock_timeout') as lock,
      current_setting('idle_in_transaction_session_timeout') as idle, current_setting('application_name') as name`;
  expect(row).toMatchObject({ statement: '10s', lock: '5s', idle: '15s' });
  expect(row?.name).toMatch(/^notification_/);
});

test('the driver forgets what has left its queues, or every statement would be slower than the one before', () => {
  interface Queue {
    push(item: string): void;
    shift(): string | undefined;
  }
  const makeQueue: (initial: string[]) => Queue = require(join(dirname(require.resolve('postgres')), 'queue.js'));
  const items = ['a connection', 'another one'];
  // The queue takes over what `slice` gives it, so here it works on an array that can be looked at.
  const queue = makeQueue(Object.assign([...items], { slice: () => items }));
  for (let turn = 0; turn < 10_000; turn++) queue.push(queue.shift() ?? 'lost');
  expect(items.length).toBeLessThan(100);
  expect([queue.shift(), queue.shift(), queue.shift()]).toEqual(['a connection', 'another one', undefined]);
});

test('a pool keeps to its size', async () => {
  const client = openDatabase(database.url, { poolSize: 2, applicationName: 'small' });
  await Promise.all(Array.from({ length: 10 }, () => client.db.execute(sql`select pg_sleep(0.01)`)));
  const [row] = await database.sql`
    select count(*)::int as open from pg_stat_activity where application_name = 'small'`;
  expect(row?.open).toBe(2);
  await client.close();
});

test('every statement is told of, with those that begin and end a transaction, whichever way it ends', async () => {
  let told = 0;
  const client = openDatabase(database.url, { poolSize: 1, applicationName: 'told', onStatement: () => ++told });
  const costOf = async (work: () => Promise<unknown>) => {
    const before = told;
    await work();
    return told - before;
  };
  const select = (db: Pick<typeof client.db, 'execute'>) => db.execute(sql`select 1`);
  expect(await costOf(() => select(client.db))).toBe(1);
  expect(await costOf(() => client.db.transaction(select))).toBe(3);
  expect(await costOf(() => failing(client.db.transaction((tx) => tx.execute(sql`select nonsense`))))).toBe(3);
  expect(await costOf(() => client.db.transaction((tx) => tx.transaction(select)))).toBe(5);
  await client.close();
});

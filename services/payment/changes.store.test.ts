import { openDatabase } from '../../db/client';
import { createTestDatabase, type TestDatabase } from '../../tests/support/database';
import { announce, createChanges } from './changes.store';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase('payment');
});
afterAll(() => database.drop());

test('what is announced wakes who waits for it, at the commit', async () => {
  const changes = createChanges(database);
  let value = 0;
  const read = async () => value;
  const waiting = [1, 2].map(() => changes.until('thing', 10_000, read, (seen) => seen === 1));
  await database.db.transaction(async (tx) => {
    await announce(tx, 'another');
    await announce(tx, 'thing');
    value = 1;
  });
  expect(await Promise.all(waiting)).toEqual([1, 1]);
});

test('after the time given, what there is is the answer', async () => {
  const changes = createChanges(database);
  const began = Date.now();
  expect(
    await changes.until(
      'thing',
      50,
      async () => 'as it was',
      () => false,
    ),
  ).toBe('as it was');
  expect(Date.now() - began).toBeLessThan(5_000);
});

test('a change is found by asking, when the database cannot be listened to', async () => {
  const away = openDatabase('postgres://nobody@127.0.0.1:1/none', { poolSize: 1, applicationName: 'away' });
  const changes = createChanges(away);
  let asked = 0;
  expect(
    await changes.until(
      'thing',
      10_000,
      async () => ++asked,
      (count) => count === 3,
    ),
  ).toBe(3);
  await away.close();
});

import { createTestDatabase, type TestDatabase } from '../tests/support/database';
import { uuidv7 } from './ids';
import { appendEvent } from './outbox';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase('notification');
});
afterAll(() => database.drop());

const append = (streamId: string, type: string) =>
  database.db.transaction((tx) => appendEvent(tx, { streamId, type, data: { type } }));

test('versions count from 1 in each stream, positions over all of them', async () => {
  const [first, second] = [uuidv7(), uuidv7()];
  await append(first, 'A');
  await append(second, 'B');
  await append(first, 'C');
  const rows = await database.sql`
    select type, version, stream_id, data, published_at from events
    where stream_id in (${first}, ${second}) order by position`;
  expect(rows.map(({ type, version, stream_id }) => [type, version, stream_id])).toEqual([
    ['A', 1, first],
    ['B', 1, second],
    ['C', 2, first],
  ]);
  expect(rows[0]).toMatchObject({ data: { type: 'A' }, published_at: null });
});

test('an event is gone with the change it would have told of', async () => {
  const streamId = uuidv7();
  const failing = database.db.transaction(async (tx) => {
    await appendEvent(tx, { streamId, type: 'A', data: {} });
    throw new Error('the change failed');
  });
  await expect(failing).rejects.toThrow('the change failed');
  expect(await database.sql`select 1 from events where stream_id = ${streamId}`).toHaveLength(0);
});

test('two that append to one stream without a lock never share a version', async () => {
  const streamId = uuidv7();
  const results = await Promise.allSettled(Array.from({ length: 10 }, () => append(streamId, 'A')));
  const rows = await database.sql`select version from events where stream_id = ${streamId} order by version`;
  expect(rows.map(({ version }) => version)).toEqual(rows.map((_, index) => index + 1));
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(rows.length);
});

import { z } from 'zod';
import { createTestDatabase, type TestDatabase } from '../tests/support/database';
import { Amount, At, Code, codeOf, type EventSchemas, event, Id, ParticipantIds, participants } from './event-schema';
import { uuidv7 } from './ids';
import { appendEvent } from './outbox';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase('notification');
});
afterAll(() => database.drop());

const of = { thing: z.enum(['A', 'B', 'C']) };
const EVENTS = {
  A: event('A first thing.', of),
  B: event('A second thing.', of),
  C: event('A third thing.', of),
  Sold: event('Something was sold.', {
    thingId: Id,
    participantIds: ParticipantIds,
    price: Amount,
    at: At,
    why: Code.optional(),
  }),
};

const append = (streamId: string, type: 'A' | 'B' | 'C') =>
  database.db.transaction((tx) => appendEvent(tx, EVENTS, { streamId, type, data: { thing: type } }));

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
  expect(rows[0]).toMatchObject({ data: { thing: 'A' }, published_at: null });
});

test('an event is gone with the change it would have told of', async () => {
  const streamId = uuidv7();
  const failing = database.db.transaction(async (tx) => {
    await appendEvent(tx, EVENTS, { streamId, type: 'A', data: { thing: 'A' } });
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

describe('what its schema does not say', () => {
  const [thingId, buyer, seller] = [uuidv7(), uuidv7(), uuidv7()];
  const sold = {
    ...{ thingId, participantIds: participants(buyer, seller) },
    ...{ price: { amount: 100, currency: 'EUR' }, at: new Date().toISOString() },
  };
  const NAME = 'Łukasz Nowak';
  // Whoever knows less of a type than the compiler can still be wrong at run time.
  const untyped: EventSchemas = EVENTS;
  const sell = (data: unknown, type = 'Sold') =>
    database.db.transaction((tx) => appendEvent(tx, untyped, { streamId: thingId, type, data }));
  const told = () => database.sql`select data from events where stream_id = ${thingId}`;

  test.each([
    ['a name beside it', { ...sold, name: NAME }],
    ['a name inside of it', { ...sold, price: { ...sold.price, note: NAME } }],
    ['a name in place of a code', { ...sold, why: NAME }],
    ['a name in place of an id', { ...sold, thingId: NAME }],
    ['nobody whom it concerns', { ...sold, participantIds: [] }],
    ['somebody twice', { ...sold, participantIds: [buyer, buyer] }],
    ['no time', { ...sold, at: undefined }],
    ['half a cent', { ...sold, price: { amount: 0.5, currency: 'EUR' } }],
    ['nothing', undefined],
  ])('is refused, and the error repeats nothing of it: %s', async (_, data) => {
    const refused: unknown = await sell(data).catch((error: unknown) => error);
    expect(refused).toMatchObject({
      name: 'Error',
      message: expect.stringMatching(/^Sold is not what its schema says: /),
    });
    expect(String(refused)).not.toContain(NAME);
    expect(await told()).toEqual([]);
  });

  test('is refused where there is no schema', async () => {
    await expect(sell(sold, 'Bought')).rejects.toThrow('No schema says what Bought is');
  });

  test('is not in what is', async () => {
    await sell(sold);
    expect(await told()).toEqual([{ data: sold }]);
  });
});

test('a person who is two of the participants is one', () => {
  expect(participants('a', 'b', 'a')).toEqual(['a', 'b']);
});

test.each([
  ['insufficient_funds', 'insufficient_funds'],
  ['Do not honour', 'other'],
  ['', 'other'],
  ['x'.repeat(65), 'other'],
])('the code of %j is %s', (word, code) => {
  expect(codeOf(word)).toBe(code);
});

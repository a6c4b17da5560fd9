import { uuidv7 } from '../../../platform/ids';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/database';
import { refusal } from '../../../tests/support/tutors';
import { quoteFor } from '../rules/quote';
import { judgePrices, markPricesTold, setPricing, untoldRefusals } from './pricing';
import { readTutor } from './reads';
import { listTutors } from './search';

const SETTLING = ['EUR', 'GBP', 'HUF', 'USD'];

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase('tutoring');
});
afterEach(() => database.drop());

/** A tutor who is listed, with prices as the code of before has stored them: judged by nobody. */
async function tutorOfBefore(
  ...prices: [amount: number, currency: string, kind?: 'hourly' | 'package'][]
): Promise<string> {
  const { sql } = database;
  const id = uuidv7();
  const [amount = null] = prices.filter(([, , kind = 'hourly']) => kind === 'hourly').map(([each]) => each);
  await sql`
    insert into tutor_profiles (id, display_name, time_zone, has_hours, hourly_amount, completed_at)
    values (${id}, 'Tina', 'UTC', true, ${amount}, now())`;
  for (const [position, [each, currency, kind = 'hourly']] of prices.entries())
    await sql`
      insert into tutor_pricing_options (id, tutor_id, position, kind, amount, currency, sessions)
      values (${uuidv7()}, ${id}, ${position}, ${kind}, ${each}, ${currency}, ${kind === 'package' ? 5 : null})`;
  return id;
}

const listed = async () => (await listTutors(database.db, { sort: 'newest', limit: 100 })).items.map(({ id }) => id);
const untold = () => untoldRefusals(database.db, SETTLING, 100);
const events = async (id: string) =>
  (await database.sql`select type from events where stream_id = ${id}`).map(({ type }) => type);

test('tutors of before whose prices cannot be charged are unlisted, named until they are told, and nobody else is', async () => {
  const good = await tutorOfBefore([4500, 'EUR'], [20_000, 'EUR', 'package']);
  const [strange, low, odd] = [
    await tutorOfBefore([4500, 'XDR']),
    await tutorOfBefore([35_000, 'HUF'], [34_998, 'HUF']),
    await tutorOfBefore([4500, 'SEK', 'package'], [4500, 'SEK']),
  ];
  expect(await listed()).toHaveLength(4);

  expect(await judgePrices(database.db, SETTLING)).toBe(3);
  expect(await listed()).toEqual([good]);
  const told = await untold();
  expect(told.map(({ refusedAt: _, ...fact }) => fact)).toEqual(
    expect.arrayContaining([
      { tutorId: strange, price: { amount: 4500, currency: 'XDR' }, because: 'currency' },
      { tutorId: low, price: { amount: 34_998, currency: 'HUF' }, because: 'amount' },
      { tutorId: odd, price: { amount: 4500, currency: 'SEK' }, because: 'currency' },
    ]),
  );
  expect(await events(strange)).toEqual(['TutorUnlisted']);

  // Nothing more happens by itself, and who was told is named no more.
  expect(await judgePrices(database.db, SETTLING)).toBe(0);
  for (const { tutorId, refusedAt } of told) await markPricesTold(database.db, tutorId, refusedAt);
  expect(await untold()).toEqual([]);
  expect(await events(strange)).toEqual(['TutorUnlisted']);
});

test('by the currency of the prices a tutor of before is found, once they are judged', async () => {
  const id = await tutorOfBefore([4500, 'GBP']);
  const inPounds = () => listTutors(database.db, { sort: 'price_asc', limit: 10, currency: 'GBP' });
  expect((await inPounds()).items).toEqual([]);
  await judgePrices(database.db, SETTLING);
  expect((await inPounds()).items).toMatchObject([{ id }]);
});

test('who sets prices that can be charged is listed again, and is told anew should those be refused one day', async () => {
  const id = await tutorOfBefore([4500, 'XDR']);
  await judgePrices(database.db, SETTLING);
  const [first] = await untold();
  const option = { kind: 'hourly' as const, price: { amount: 4500, currency: 'USD' } };
  await setPricing(database.db, undefined, id, [option], SETTLING);
  expect(await listed()).toEqual([id]);
  expect(await untold()).toEqual([]);
  // The mail of the refusal before was on its way.
  await markPricesTold(database.db, id, String(first?.refusedAt));

  expect(await judgePrices(database.db, ['EUR'])).toBe(1);
  expect(await listed()).toEqual([]);
  expect(await untoldRefusals(database.db, ['EUR'], 100)).toMatchObject([{ tutorId: id, because: 'currency' }]);
});

test('a currency that settles again brings its tutors back', async () => {
  const id = await tutorOfBefore([4500, 'SEK']);
  await judgePrices(database.db, SETTLING);
  expect(await listed()).toEqual([]);
  expect(await judgePrices(database.db, [...SETTLING, 'SEK'])).toBe(0);
  expect(await listed()).toEqual([id]);
  expect(await untold()).toEqual([]);
});

test('a change of what settles is told to nobody whom it does not concern', async () => {
  const [good, strange, packages] = [
    await tutorOfBefore([4500, 'EUR']),
    await tutorOfBefore([4500, 'XDR']),
    await tutorOfBefore([20_000, 'EUR', 'package']),
  ];
  expect(await judgePrices(database.db, SETTLING)).toBe(1);
  expect(await judgePrices(database.db, ['EUR'])).toBe(0);
  expect(await listed()).toEqual([good]);
  expect([await events(good), await events(packages), await events(strange)]).toEqual([[], [], ['TutorUnlisted']]);
  // Between a change and its judgement nobody is told of a price that can be charged by now.
  expect(await untoldRefusals(database.db, ['EUR', 'XDR'], 100)).toEqual([]);
});

test('all are judged, however many there are', async () => {
  const { sql } = database;
  await sql.unsafe(`
    create table made as select n, uuidv7() as id from generate_series(1, 450) n;
    insert into tutor_profiles (id, display_name, time_zone, has_hours, hourly_amount, completed_at)
      select id, 'Tina', 'UTC', true, 4500, now() from made;
    insert into tutor_pricing_options (id, tutor_id, position, kind, amount, currency)
      select uuidv7(), id, 0, 'hourly', 4500, case when n % 2 = 0 then 'XDR' else 'EUR' end from made`);
  expect(await judgePrices(database.db, SETTLING)).toBe(225);
  expect(await listed()).toHaveLength(100);
  expect(await sql`select 1 from tutor_profiles where listed`).toHaveLength(225);
});

test('a tutor whose prices were not judged yet cannot be booked at one that cannot be charged', async () => {
  const tutor = await readTutor(database.db, await tutorOfBefore([4500, 'XDR']));
  const wanted = { subject: 'Maths', scheduledAt: '2030-01-01T10:00:00.000Z', durationMinutes: 60 };
  const hours = { timeZone: 'UTC', weekly: [], exceptions: [] };
  expect(tutor.listed).toBe(true);
  expect(refusal(() => quoteFor(tutor, hours, wanted, 0, SETTLING))?.code).toBe('not_found');
});

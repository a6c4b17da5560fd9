import type { Database } from '../../../db/client';
import { uuidv7 } from '../../../platform/ids';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/database';
import { plansOf } from '../../../tests/support/plans';
import type { TutorSort } from '../contract';
import { judgePrices, untoldRefusals } from './pricing';
import { readPublicAvailability, readTutor } from './reads';
import { listTutors, TUTOR_CURSORS } from './search';
import { takenSpans } from './slots';

const TUTORS = 10_000;
let database: TestDatabase;
let tutorId: string;

beforeAll(async () => {
  database = await createTestDatabase('tutoring');
  const { sql } = database;
  await sql.unsafe(`
    create table made as select n, uuidv7() as id from generate_series(1, ${TUTORS}) n;
    insert into tutor_profiles (id, display_name, biography, languages, language_keys, subject_keys, time_zone, search, has_hours, hourly_amount, hourly_currency, completed_at)
      select id, 'Tutor ' || n, repeat('words ', 100), array['en'], case when n % 500 = 0 then array['en', 'eo'] else array['en'] end,
        array['common', 'subject ' || n % 300], 'UTC',
        array_to_tsvector(array['tutor', 'word' || n % 50, 'rare' || n % 2000, '数学老', '学老师', '老师', case when n % 500 = 0 then '稀有字' else '师' end]),
        n % 10 > 0, 1500 + n % 90 * 100, case when n % 500 = 0 then 'GBP' else 'EUR' end, now() from made;
    insert into tutor_pricing_options (id, tutor_id, position, kind, amount, currency, judged_under)
      select uuidv7(), id, 0, 'hourly', 1500, 'EUR', case when n % 2000 > 0 then '1:EUR,GBP,USD' end from made;
    update tutor_profiles set prices_refused_at = now() where id in (select id from made where n % 1000 = 0);
    insert into tutor_ratings (tutor_id, average, count) select id, n % 400::numeric / 100 + 1, n % 40 + 1 from made;
    insert into tutor_availability (tutor_id, position, weekday, from_minute, to_minute)
      select id, d, d + 1, 540, 1020 from made, generate_series(0, 4) d;
    insert into slots (booking_id, tutor_id, during, state)
      select uuidv7(), id, tstzrange(t, t + interval '1 hour'), 'booked'
      from made, generate_series(now(), now() + interval '3 days', interval '1 day') t;
    analyze`);
  const [one] = await sql`select id from made offset 777 limit 1`;
  tutorId = String(one?.id);
}, 60_000);
afterAll(() => database.drop());

const search = (change: Partial<Parameters<typeof listTutors>[1]>) => (db: Database) =>
  listTutors(db, { sort: 'rating', limit: 20, ...change });
const later = (sort: TutorSort, values: number[]) => ({
  sort,
  ...(sort.startsWith('price_') && { currency: 'EUR' }),
  cursor: TUTOR_CURSORS[sort].write([sort, uuidv7(), ...values]),
});
const week = () => ({ start: Date.now(), end: Date.now() + 7 * 86_400_000 });

/** After a search, the tutors of its page are looked up by their ids. */
function expectTheirTutors(plans: string[]): void {
  expect(plans.length).toBeLessThanOrEqual(1);
  for (const plan of plans) {
    expect(plan).toMatch(/tutor_profiles_pkey/);
    expect(plan).not.toMatch(/Seq Scan|Gather/);
  }
}

test('a page whose tutors have not changed since it was last asked for is one query', async () => {
  const read = search({ sort: 'newest' });
  const plans = await plansOf(database, async (db) => {
    await read(db);
    await read(db);
  });
  expect(plans).toHaveLength(3);
  expect(plans[2]).toMatch(/tutor_profiles_(?:newest|pkey)/);
});

test.each<[string, (db: Database) => Promise<unknown>, RegExp]>([
  ['one tutor', (db) => readTutor(db, tutorId), /tutor_profiles_pkey/],
  ['the slots that are taken', (db) => takenSpans(db, tutorId, week()), /slots_never_overlap/],
  ['all by rating', search({}), /tutor_profiles_rating/],
  ['a later page by rating', search(later('rating', [300, 20])), /tutor_profiles_rating/],
  ['all by price', search({ currency: 'EUR', sort: 'price_asc' }), /tutor_profiles_currency_price/],
  ['a later page by price', search(later('price_asc', [5_000])), /tutor_profiles_currency_price/],
  [
    'all by price, the highest first',
    search({ currency: 'EUR', sort: 'price_desc' }),
    /Backward using tutor_profiles_currency_price/,
  ],
  [
    'a later page by price, the highest first',
    search(later('price_desc', [5_000])),
    /Backward using tutor_profiles_currency_price/,
  ],
  ['all by sign-up', search({ sort: 'newest' }), /Backward using tutor_profiles_(?:newest|pkey)/],
  ['a later page by sign-up', search(later('newest', [])), /Backward using tutor_profiles_(?:newest|pkey)/],
  ['those of a common subject', search({ subject: 'Common' }), /tutor_profiles_rating/],
  ['those of a common word', search({ q: 'tutor' }), /tutor_profiles_rating/],
  [
    'those of a price and a rating',
    search({ currency: 'EUR', maxPrice: 5_000, minRating: 2 }),
    /tutor_profiles_rating/,
  ],
])('%s: read in the order of an index, and nothing else is looked at', async (_, read, index) => {
  const [plan, ...others] = await plansOf(database, read);
  expectTheirTutors(others);
  expect(plan).toMatch(index);
  expect(plan).not.toMatch(/Seq Scan|Sort|Gather/);
});

test.each<[string, (db: Database) => Promise<unknown>, RegExp]>([
  ['hours', (db) => readPublicAvailability(db, tutorId), /tutor_availability_tutor_id_position_pk/],
  ['a rare subject', search({ subject: 'Subject 7' }), /tutor_profiles_subjects/],
  ['a rare word', search({ q: 'rare77' }), /tutor_profiles_search/],
  ['a word that nobody has', search({ q: 'xylophone' }), /tutor_profiles_search/],
  ['two words', search({ q: 'word7 rare77' }), /tutor_profiles_search/],
  ['a rare language', search({ language: 'eo' }), /tutor_profiles_languages/],
  ['a rare part of a text without spaces', search({ q: '有字' }), /tutor_profiles_search/],
  ['a long part of a text without spaces', search({ q: '稀有字数学老' }), /tutor_profiles_search/],
  ['a rare currency', search({ currency: 'GBP' }), /tutor_profiles_currency_price/],
  [
    'a rare currency by price',
    search({ currency: 'GBP', sort: 'price_asc', maxPrice: 2_000 }),
    /tutor_profiles_currency_price/,
  ],
])('%s: found by an index, then only what was found is sorted', async (_, read, index) => {
  const [plan, ...others] = await plansOf(database, read);
  expectTheirTutors(others);
  expect(plan).toMatch(index);
  expect(plan).not.toMatch(/Seq Scan|Gather/);
});

test('the prices that are not judged yet, and the tutors who have to be told of theirs, are found by an index', async () => {
  const [unjudged] = await plansOf(database, (db) => judgePrices(db, ['EUR', 'GBP', 'USD']));
  expect(unjudged).toMatch(/tutor_pricing_options_judged/);
  const told = await plansOf(database, (db) => untoldRefusals(db, ['EUR'], 100));
  expect(told).toHaveLength(2);
  expect(told[0]).toMatch(/tutor_profiles_prices_untold/);
  expect([unjudged, ...told].join()).not.toMatch(/Seq Scan|Gather/);
});

test('a rating that somebody writes into the projection is what a search sorts and filters by', async () => {
  const { sql, db } = database;
  await sql`update tutor_ratings set average = 5, count = 9999 where tutor_id = ${tutorId}`;
  const found = await listTutors(db, { sort: 'rating', limit: 1, minRating: 5 });
  expect(found.items).toMatchObject([{ id: tutorId, rating: { average: 5, count: 9999 } }]);
});

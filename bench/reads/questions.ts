import type { Sql } from 'postgres';
import type { Reader } from './stage';

/** One kind of read: the paths that clients ask for in turn, and the person whose token they send. */
export interface Question {
  name: string;
  paths: readonly { path: string; reader?: number }[];
  /** What a reply that found something has in it. */
  holds: string;
}

const SAMPLES = 1_000;

/** Every read that has a target, over people and things spread through the tables, and what `floor.ts` is asked. */
export async function questions(
  booking: Sql,
  tutoring: Sql,
  readers: readonly Reader[],
  gateway: string,
): Promise<{ asked: Question[]; oneRow: Question }> {
  const own = await booking<{ id: string; student: string }[]>`
    select id, student_id as student from bookings where student_id = any(${readers.map(({ id }) => id)}::uuid[]) order by id`;
  const numberOf = new Map(readers.map(({ id }, index) => [id, index]));
  const mine = own.map(({ id, student }) => ({ id, reader: numberOf.get(student) ?? 0 }));
  const tutors = await tutoring<
    { id: string }[]
  >`select id from tutor_profiles tablesample bernoulli (20) repeatable (1) limit ${SAMPLES}`;
  const subjects = await tutoring<
    { name: string }[]
  >`select unnest(subjects) as name from tutor_profiles group by name order by count(*) desc, name`;
  const byReader = (path: (index: number) => string) => readers.map((_, reader) => ({ path: path(reader), reader }));
  const search = (...queries: string[]) => queries.map((query) => ({ path: `/api/tutors?${query}` }));
  const bySubject = (query: (subject: string) => string) =>
    search(...subjects.map(({ name }) => query(encodeURIComponent(name))));
  const deep = await cursors(gateway, '/api/tutors?currency=EUR&sort=price_asc&limit=100', 20);

  const asked: Question[] = [
    {
      name: 'one booking',
      paths: mine.map(({ id, reader }) => ({ path: `/api/bookings/${id}`, reader })),
      holds: '"workflowId"',
    },
    { name: 'my bookings', paths: byReader(() => '/api/bookings'), holds: '"workflowId"' },
    {
      name: 'my bookings by status',
      paths: byReader((n) => `/api/bookings?status=${n % 2 ? 'completed' : 'confirmed'}`),
      holds: '"items":[',
    },
    {
      name: 'timeline',
      paths: mine.map(({ id, reader }) => ({ path: `/api/bookings/${id}/timeline`, reader })),
      holds: '"BookingRequested"',
    },
    { name: 'one tutor', paths: tutors.map(({ id }) => ({ path: `/api/tutors/${id}` })), holds: '"displayName"' },
    {
      name: 'search: all',
      paths: search('', 'sort=newest', 'currency=EUR&sort=price_asc', 'currency=EUR&sort=price_desc'),
      holds: '"displayName"',
    },
    { name: 'search: words', paths: bySubject((subject) => `q=${subject}`), holds: '"displayName"' },
    { name: 'search: two words', paths: bySubject((subject) => `q=patient+${subject}`), holds: '"displayName"' },
    { name: 'search: subject', paths: bySubject((subject) => `subject=${subject}`), holds: '"displayName"' },
    {
      name: 'search: subject, price',
      paths: bySubject((subject) => `subject=${subject}&currency=EUR&maxPrice=5000&sort=price_asc`),
      holds: '"displayName"',
    },
    {
      name: 'search: filters',
      paths: search(
        ...['en', 'de', 'fr', 'es'].map((language) => `language=${language}&minRating=4&currency=EUR&maxPrice=6000`),
      ),
      holds: '"items":[',
    },
    {
      name: 'search: rare',
      paths: search(
        'language=zh&currency=EUR&maxPrice=2000&minRating=4.5',
        'q=astronomy+robotics',
        'q=zzz',
        'subject=Astronomy&language=ja&minRating=4.8',
      ),
      holds: '"items":[',
    },
    {
      name: 'search: page by cursor',
      paths: search(...deep.map((cursor) => `currency=EUR&sort=price_asc&cursor=${cursor}`)),
      holds: '"displayName"',
    },
    { name: 'slots: a week', paths: tutors.map(({ id }) => ({ path: `/api/tutors/${id}/slots` })), holds: '"start"' },
    {
      name: 'slots: a month',
      paths: tutors.map(({ id }) => ({ path: `/api/tutors/${id}/slots?${month()}` })),
      holds: '"start"',
    },
  ];
  const oneRow = {
    name: 'one row',
    paths: mine.map(({ id }) => ({ path: `/bookings/${id}` })),
    holds: '"student_id"',
  };
  return { asked, oneRow };
}

function month(): string {
  const from = new Date();
  const to = new Date(from.getTime() + 30 * 86_400_000);
  return `from=${from.toISOString()}&to=${to.toISOString()}&durationMinutes=90`;
}

/** The cursors of the first pages of a list. */
async function cursors(gateway: string, path: string, pages: number): Promise<string[]> {
  const found: string[] = [];
  for (let page = 0; page < pages; page++) {
    const cursor = found.at(-1);
    const response = await fetch(`${gateway}${path}${cursor ? `&cursor=${cursor}` : ''}`);
    const next = /"nextCursor":"([^"]+)"/.exec(await response.text())?.[1];
    if (!next) break;
    found.push(next);
  }
  return found;
}

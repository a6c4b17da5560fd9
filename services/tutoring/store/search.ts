import { and, asc, eq, isNotNull, type SQL, sql } from 'drizzle-orm';
import { builtOnce, type Database, type Transaction } from '../../../db/client';
import {
  certifications,
  education,
  tutorAvailability,
  tutorPricingOptions,
  tutorProfiles,
} from '../../../db/schema/tutoring';
import { ProblemError } from '../../../kernel/errors';
import { remember } from '../../../kernel/remember';
import type {
  Availability,
  Certification,
  DatedHours,
  Education,
  OwnTutor,
  PricingOption,
  Tutor,
  TutorQuery,
  TutorSort,
  WeeklyHours,
} from '../contract';
import { clockOf, readTutorCursor, searchKey, searchWords, tutorCursor } from '../rules';

type Handle = Database | Transaction;

const profiles = tutorProfiles;
const { placeholder } = sql;

// With its table: drizzle leaves that out where nothing is joined, and the tables inside have an id of their own.
const profileId = sql`${profiles}.id`;

/** A tutor in one query: what hangs on the profile comes as arrays, and only for the rows that a page keeps. */
const tutorColumns = {
  id: profiles.id,
  displayName: profiles.displayName,
  headline: profiles.headline,
  biography: profiles.biography,
  languages: profiles.languages,
  subjects: profiles.subjects,
  timeZone: profiles.timeZone,
  instantBooking: profiles.instantBooking,
  listed: profiles.listed,
  verifiedAt: profiles.verifiedAt,
  hourlyAmount: profiles.hourlyAmount,
  average: profiles.ratingAverage,
  count: profiles.ratingCount,
  pricing: sql<PricingOption[]>`coalesce((
    select json_agg(json_strip_nulls(json_build_object(
      'id', id, 'kind', kind, 'price', json_build_object('amount', amount, 'currency', currency),
      'sessions', sessions, 'label', label)) order by position)
    from ${tutorPricingOptions} where tutor_id = ${profileId}), '[]')`,
  education: sql<Education[]>`coalesce((
    select json_agg(json_build_object(
      'institution', institution, 'degree', degree, 'startYear', start_year, 'endYear', end_year) order by position)
    from ${education} where tutor_id = ${profileId}), '[]')`,
  certifications: sql<Certification[]>`coalesce((
    select json_agg(json_build_object(
      'id', id, 'name', name, 'issuer', issuer, 'issuedOn', issued_on, 'expiresOn', expires_on,
      'credentialUrl', credential_url) order by id)
    from ${certifications} where tutor_id = ${profileId}), '[]')`,
};

const selectTutors = (handle: Handle) => handle.select(tutorColumns).from(profiles);

type TutorRow = Awaited<ReturnType<typeof selectTutors>>[number];

function toTutor({ average, count, verifiedAt, hourlyAmount: _, ...row }: TutorRow): Tutor {
  return {
    ...row,
    userId: row.id,
    rating: { average: count === 0 ? null : average, count },
    verified: verifiedAt !== null,
  };
}

/**
 * Which version of its row this is: the transaction that wrote it (PostgreSQL, System Columns). Whoever changes anything of a
 * tutor's also writes the profile's row, so what was read with a version is right for as long as the row has it.
 */
const rowVersion = sql<string>`${profiles}.xmin::text`;

const tutorsById = builtOnce((db: Database) =>
  db
    .select({ ...tutorColumns, version: rowVersion })
    .from(profiles)
    .where(sql`${profileId} = any(${placeholder('ids')}::uuid[])`)
    .prepare('tutors_by_id'),
);

/** Tutors that are kept in memory for searches, at some 2 KB each. The first pages of what people look for are a few hundred. */
const MOST_KEPT = 1_000;
type Kept = Map<string, { version: string; tutor: Tutor }>;
const keptTutors = new WeakMap<Database, Kept>();

/**
 * These tutors in their order, as they are now: what is kept is used only while its row has the same version, everything else
 * is read. Subjects aside, what hangs on a profile costs more to gather than a page costs to find.
 */
async function currentTutors(db: Database, wanted: readonly { id: string; version: string }[]): Promise<Tutor[]> {
  const kept: Kept = keptTutors.get(db) ?? new Map();
  keptTutors.set(db, kept);
  const found = new Map<string, Tutor>();
  for (const { id, version } of wanted) {
    const known = kept.get(id);
    if (known?.version === version) found.set(id, known.tutor);
  }
  const ids = wanted.flatMap(({ id }) => (found.has(id) ? [] : [id]));
  if (ids.length > 0) {
    for (const { version, ...row } of await tutorsById(db, {}).execute({ ids })) {
      const tutor = toTutor(row);
      found.set(row.id, tutor);
      remember(kept, row.id, { version, tutor }, MOST_KEPT);
    }
  }
  return wanted.flatMap(({ id }) => found.get(id) ?? []);
}

const oneTutor = builtOnce((handle: Handle, { completed }: { completed: boolean }) =>
  selectTutors(handle)
    .where(and(eq(profiles.id, placeholder('id')), completed ? isNotNull(profiles.completedAt) : undefined))
    .prepare('one_tutor'),
);

/** A tutor as everybody sees them. @throws ProblemError not_found, also before they completed their profile */
export async function readTutor(handle: Handle, id: string): Promise<Tutor> {
  return found(await oneTutor(handle, { completed: true }).execute({ id }));
}

/** A tutor, whether their profile is complete or still empty. @throws ProblemError not_found */
export async function readAnyTutor(handle: Handle, id: string): Promise<Tutor> {
  return found(await oneTutor(handle, { completed: false }).execute({ id }));
}

function found([row]: TutorRow[]): Tutor {
  if (!row) throw new ProblemError('not_found', 'There is no such tutor');
  return toTutor(row);
}

/** A tutor as they see themselves. @throws ProblemError not_found */
export async function readOwnTutor(db: Database, id: string): Promise<OwnTutor> {
  const tutor = await readAnyTutor(db, id);
  return { ...tutor, availability: await readAvailability(db, id, tutor.timeZone) };
}

const hoursOfTutor = builtOnce((handle: Handle) =>
  handle
    .select({
      timeZone: profiles.timeZone,
      weekday: tutorAvailability.weekday,
      date: tutorAvailability.date,
      fromMinute: tutorAvailability.fromMinute,
      toMinute: tutorAvailability.toMinute,
    })
    .from(profiles)
    .leftJoin(tutorAvailability, eq(tutorAvailability.tutorId, profiles.id))
    .where(and(eq(profiles.id, placeholder('id')), isNotNull(profiles.completedAt)))
    .orderBy(asc(tutorAvailability.position))
    .prepare('hours_of_tutor'),
);

/** The hours of a tutor who completed their profile. @throws ProblemError not_found */
export async function readPublicAvailability(db: Database, id: string): Promise<Availability> {
  const rows = await hoursOfTutor(db, {}).execute({ id });
  const [first] = rows;
  if (!first) throw new ProblemError('not_found', 'There is no such tutor');
  return toAvailability(rows, first.timeZone);
}

/** The hours of a tutor whose zone is known. */
export async function readAvailability(handle: Handle, tutorId: string, timeZone: string): Promise<Availability> {
  const rows = await handle
    .select()
    .from(tutorAvailability)
    .where(eq(tutorAvailability.tutorId, tutorId))
    .orderBy(asc(tutorAvailability.position));
  return toAvailability(rows, timeZone);
}

interface HoursRow {
  weekday: number | null;
  date: string | null;
  fromMinute: number | null;
  toMinute: number | null;
}

function toAvailability(rows: HoursRow[], timeZone: string): Availability {
  return {
    timeZone,
    weekly: rows.flatMap((row): WeeklyHours[] => {
      const hours = hoursOf(row);
      return row.weekday !== null && hours ? [{ weekday: row.weekday, ...hours }] : [];
    }),
    exceptions: rows.flatMap((row): DatedHours[] => {
      const { date } = row;
      const hours = hoursOf(row);
      if (date === null) return [];
      return hours ? [{ date, ...hours }] : [{ date, available: false }];
    }),
  };
}

function hoursOf({ fromMinute, toMinute }: { fromMinute: number | null; toMinute: number | null }) {
  return fromMinute === null || toMinute === null ? undefined : { from: clockOf(fromMinute), to: clockOf(toMinute) };
}

interface Order {
  by: SQL;
  /** What comes after a position, compared as one row so that an index can start there. */
  after: SQL;
  valuesOf(row: Listed): number[];
}

const { ratingAverage: average, ratingCount: count, hourlyAmount, id } = profiles;
const [first, second, lastId] = [placeholder('first'), placeholder('second'), sql`${placeholder('id')}::uuid`];

// Every listed tutor has one.
const listedPrice = (row: Listed) => [Number(row.hourlyAmount)];

/** Every order ends with the id, so that tutors who are equal otherwise stay in place from page to page. */
const ORDERS: Record<TutorSort, Order> = {
  rating: {
    by: sql`${average} desc, ${count} desc, ${id} desc`,
    // Averages have two digits; in a cursor they are whole hundredths.
    after: sql`(${average}, ${count}, ${id}) < (${first}::numeric / 100, ${second}::bigint, ${lastId})`,
    valuesOf: (row) => [Math.round(row.average * 100), row.count],
  },
  price_asc: {
    by: sql`${hourlyAmount}, ${id}`,
    after: sql`(${hourlyAmount}, ${id}) > (${first}::bigint, ${lastId})`,
    valuesOf: listedPrice,
  },
  price_desc: {
    by: sql`${hourlyAmount} desc, ${id} desc`,
    after: sql`(${hourlyAmount}, ${id}) < (${first}::bigint, ${lastId})`,
    valuesOf: listedPrice,
  },
  newest: {
    // The id is a UUIDv7: its order is that of sign-ups.
    by: sql`${id} desc`,
    after: sql`${id} < ${lastId}`,
    valuesOf: () => [],
  },
};

/** What the tutors of a page may have to meet, by the name of the value that it is compared with. */
const FILTERS: Record<string, SQL> = {
  words: sql`${profiles.search} @@ ${placeholder('words')}::tsquery`,
  subject: sql`${profiles.subjectKeys} @> array[${placeholder('subject')}]::text[]`,
  language: sql`${profiles.languageKeys} @> array[${placeholder('language')}]::text[]`,
  minRating: sql`${average} >= ${placeholder('minRating')}::numeric`,
  maxPrice: sql`${hourlyAmount} <= ${placeholder('maxPrice')}::bigint`,
};

/** What a page is made of before its tutors are looked up. */
const listedColumns = { id, version: rowVersion, average, count, hourlyAmount };

const listed = builtOnce((db: Database, shape: { sort: TutorSort; paged: boolean; filters: string[] }) => {
  const { by, after } = ORDERS[shape.sort];
  return db
    .select(listedColumns)
    .from(profiles)
    .where(and(profiles.listed, shape.paged ? after : undefined, ...shape.filters.map((name) => FILTERS[name])))
    .orderBy(by)
    .limit(placeholder('rows'))
    .prepare('listed_tutors');
});

type Listed = Awaited<ReturnType<ReturnType<typeof listed>['execute']>>[number];

/**
 * One page of the tutors that can be booked and meet every filter.
 * @throws ProblemError validation_failed for a cursor of another list or sort
 */
export async function listTutors(
  db: Database,
  query: TutorQuery,
): Promise<{ items: Tutor[]; nextCursor: string | null }> {
  const { sort, limit, q, subject, language, minRating, maxPrice } = query;
  const position = query.cursor === undefined ? undefined : readTutorCursor(sort, query.cursor);
  const words = q ? searchWords(q) : undefined;
  // What holds no word at all, such as `?!`, is found nowhere.
  if (words?.length === 0) return { items: [], nextCursor: null };
  const values = {
    words: words && beginning(words),
    subject: subject === undefined ? undefined : searchKey(subject),
    language: language === undefined ? undefined : searchKey(language),
    minRating,
    maxPrice,
  };
  const filters = Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [name]));
  const rows = await listed(db, { sort, paged: position !== undefined, filters }).execute({
    ...values,
    ...{ rows: limit + 1, id: position?.id, first: position?.values[0], second: position?.values[1] },
  });
  const kept = rows.slice(0, limit);
  const last = kept.at(-1);
  const more = rows.length > kept.length && last;
  return {
    items: await currentTutors(db, kept),
    nextCursor: more ? tutorCursor(sort, { values: ORDERS[sort].valuesOf(last), id: last.id }) : null,
  };
}

/** Every word begins a word of the tutor's. Words are letters, digits, + and # only, so the quotes hold. */
function beginning(words: string[]): string {
  return words.map((word) => `'${word}':*`).join(' & ');
}

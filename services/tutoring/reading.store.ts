import { and, asc, eq, gte, isNotNull, lte, type SQL, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../db/client';
import {
  certifications,
  education,
  tutorAvailability,
  tutorPricingOptions,
  tutorProfiles,
  tutorRatings,
  tutorSubjects,
} from '../../db/schema/tutoring';
import { ProblemError } from '../../kernel/errors';
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
} from './contract';
import { clockOf, readTutorCursor, searchKey, searchWords, type TutorPosition, tutorCursor } from './rules';

type Handle = Database | Transaction;

const profiles = tutorProfiles;
const ratings = tutorRatings;

/** A tutor in one query: what hangs on the profile comes as arrays, and only for the rows that a page keeps. */
const tutorColumns = {
  id: profiles.id,
  displayName: profiles.displayName,
  headline: profiles.headline,
  biography: profiles.biography,
  languages: profiles.languages,
  timeZone: profiles.timeZone,
  instantBooking: profiles.instantBooking,
  listed: profiles.listed,
  verifiedAt: profiles.verifiedAt,
  hourlyAmount: profiles.hourlyAmount,
  average: ratings.average,
  count: ratings.count,
  subjects: sql<string[]>`array(select name from ${tutorSubjects} where tutor_id = ${profiles.id} order by position)`,
  pricing: sql<PricingOption[]>`coalesce((
    select json_agg(json_strip_nulls(json_build_object(
      'id', id, 'kind', kind, 'price', json_build_object('amount', amount, 'currency', currency),
      'sessions', sessions, 'label', label)) order by position)
    from ${tutorPricingOptions} where tutor_id = ${profiles.id}), '[]')`,
  education: sql<Education[]>`coalesce((
    select json_agg(json_build_object(
      'institution', institution, 'degree', degree, 'startYear', start_year, 'endYear', end_year) order by position)
    from ${education} where tutor_id = ${profiles.id}), '[]')`,
  certifications: sql<Certification[]>`coalesce((
    select json_agg(json_build_object(
      'id', id, 'name', name, 'issuer', issuer, 'issuedOn', issued_on, 'expiresOn', expires_on,
      'credentialUrl', credential_url) order by id)
    from ${certifications} where tutor_id = ${profiles.id}), '[]')`,
};

const selectTutors = (handle: Handle) =>
  handle.select(tutorColumns).from(profiles).innerJoin(ratings, eq(ratings.tutorId, profiles.id));

type TutorRow = Awaited<ReturnType<typeof selectTutors>>[number];

function toTutor({ average, count, verifiedAt, hourlyAmount: _, ...row }: TutorRow): Tutor {
  return {
    ...row,
    userId: row.id,
    rating: { average: count === 0 ? null : average, count },
    verified: verifiedAt !== null,
  };
}

/** A tutor as everybody sees them. @throws ProblemError not_found, also before they completed their profile */
export async function readTutor(handle: Handle, id: string): Promise<Tutor> {
  return tutorWhere(handle, and(eq(profiles.id, id), isNotNull(profiles.completedAt)));
}

/** A tutor, whether their profile is complete or still empty. @throws ProblemError not_found */
export async function readAnyTutor(handle: Handle, id: string): Promise<Tutor> {
  return tutorWhere(handle, eq(profiles.id, id));
}

async function tutorWhere(handle: Handle, condition: SQL | undefined): Promise<Tutor> {
  const [row] = await selectTutors(handle).where(condition);
  if (!row) throw new ProblemError('not_found', 'There is no such tutor');
  return toTutor(row);
}

/** A tutor as they see themselves. @throws ProblemError not_found */
export async function readOwnTutor(db: Database, id: string): Promise<OwnTutor> {
  const tutor = await readAnyTutor(db, id);
  return { ...tutor, availability: await readAvailability(db, id, tutor.timeZone) };
}

/** The hours of a tutor who completed their profile. @throws ProblemError not_found */
export async function readPublicAvailability(db: Database, id: string): Promise<Availability> {
  const [row] = await db
    .select({ timeZone: profiles.timeZone })
    .from(profiles)
    .where(and(eq(profiles.id, id), isNotNull(profiles.completedAt)));
  if (!row) throw new ProblemError('not_found', 'There is no such tutor');
  return readAvailability(db, id, row.timeZone);
}

/** The hours of a tutor whose zone is known. */
export async function readAvailability(handle: Handle, tutorId: string, timeZone: string): Promise<Availability> {
  const rows = await handle
    .select()
    .from(tutorAvailability)
    .where(eq(tutorAvailability.tutorId, tutorId))
    .orderBy(asc(tutorAvailability.position));
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
  after(position: TutorPosition): SQL;
  valuesOf(row: TutorRow): number[];
}

const { average, count, tutorId } = ratings;
const { hourlyAmount, id } = profiles;

// Every listed tutor has one.
const listedPrice = (row: TutorRow) => [Number(row.hourlyAmount)];

/** Every order ends with the id, so that tutors who are equal otherwise stay in place from page to page. */
const ORDERS: Record<TutorSort, Order> = {
  rating: {
    by: sql`${average} desc, ${count} desc, ${tutorId} desc`,
    // Averages have two digits; in a cursor they are whole hundredths.
    after: ({ values: [hundredths, reviews], id: last }) =>
      sql`(${average}, ${count}, ${tutorId}) < (${hundredths}::numeric / 100, ${reviews}::bigint, ${last}::uuid)`,
    valuesOf: (row) => [Math.round(row.average * 100), row.count],
  },
  price_asc: {
    by: sql`${hourlyAmount}, ${id}`,
    after: ({ values: [amount], id: last }) => sql`(${hourlyAmount}, ${id}) > (${amount}::bigint, ${last}::uuid)`,
    valuesOf: listedPrice,
  },
  price_desc: {
    by: sql`${hourlyAmount} desc, ${id} desc`,
    after: ({ values: [amount], id: last }) => sql`(${hourlyAmount}, ${id}) < (${amount}::bigint, ${last}::uuid)`,
    valuesOf: listedPrice,
  },
  newest: {
    // The id is a UUIDv7: its order is that of sign-ups.
    by: sql`${id} desc`,
    after: ({ id: last }) => sql`${id} < ${last}::uuid`,
    valuesOf: () => [],
  },
};

/**
 * One page of the tutors that can be booked and meet every filter.
 * @throws ProblemError validation_failed for a cursor of another list or sort
 */
export async function listTutors(
  db: Database,
  query: TutorQuery,
): Promise<{ items: Tutor[]; nextCursor: string | null }> {
  const order = ORDERS[query.sort];
  const rows = await selectTutors(db)
    .where(
      and(
        profiles.listed,
        query.cursor === undefined ? undefined : order.after(readTutorCursor(query.sort, query.cursor)),
        query.q ? containsWords(query.q) : undefined,
        query.subject === undefined ? undefined : teaches(query.subject),
        query.language === undefined
          ? undefined
          : sql`${profiles.languageKeys} @> array[${searchKey(query.language)}]::text[]`,
        query.minRating === undefined ? undefined : gte(ratings.average, query.minRating),
        query.maxPrice === undefined ? undefined : lte(profiles.hourlyAmount, query.maxPrice),
      ),
    )
    .orderBy(order.by)
    .limit(query.limit + 1);
  const page = rows.slice(0, query.limit);
  const last = page.at(-1);
  const more = rows.length > page.length && last;
  return {
    items: page.map(toTutor),
    nextCursor: more ? tutorCursor(query.sort, { values: order.valuesOf(last), id: last.id }) : null,
  };
}

function teaches(subject: string): SQL {
  return sql`exists (select from ${tutorSubjects} where tutor_id = ${profiles.id} and key = ${searchKey(subject)})`;
}

/** Every word of `q` begins a word of the tutor's. What holds no word at all, such as `?!`, is found nowhere. */
function containsWords(q: string): SQL {
  const words = searchWords(q);
  // Words are letters, digits, + and # only, so the quotes hold.
  const query = words.map((word) => `'${word}':*`).join(' & ');
  return words.length === 0 ? sql`false` : sql`${profiles.search} @@ ${query}::tsquery`;
}

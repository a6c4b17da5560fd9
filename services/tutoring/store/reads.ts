import { and, asc, eq, isNotNull, sql } from 'drizzle-orm';
import { builtOnce, type Database, type Transaction } from '../../../db/client';
import {
  certifications,
  education,
  tutorAvailability,
  tutorPricingOptions,
  tutorProfiles,
} from '../../../db/schema/tutoring';
import { ProblemError } from '../../../kernel/errors';
import type {
  Availability,
  Certification,
  DatedHours,
  Education,
  OwnTutor,
  PricingOption,
  Tutor,
  WeeklyHours,
} from '../contract';
import { clockOf } from '../rules/hours';

type Handle = Database | Transaction;

const profiles = tutorProfiles;
const { placeholder } = sql;

/** With its table: drizzle leaves the table out where nothing is joined, and the tables inside have an id of their own. */
export const profileId = sql`${profiles}.id`;

/** A tutor in one query: what hangs on the profile comes as arrays, and only for the rows that a page keeps. */
export const tutorColumns = {
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

/** A row of `tutorColumns` as everybody sees it. */
export function toTutor({ average, count, verifiedAt, hourlyAmount: _, ...row }: TutorRow): Tutor {
  return {
    ...row,
    userId: row.id,
    rating: { average: count === 0 ? null : average, count },
    verified: verifiedAt !== null,
  };
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

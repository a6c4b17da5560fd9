import { sql } from 'drizzle-orm';
import {
  boolean,
  check,
  customType,
  date,
  index,
  integer,
  numeric,
  pgTable,
  primaryKey,
  smallint,
  text,
  unique,
  uuid,
} from 'drizzle-orm/pg-core';
import { instant, minorUnits } from './platform';

export { adminActs, consumerCursors, events, idempotencyKeys, parkedEvents } from './platform';

const tsvector = customType<{ data: string }>({ dataType: () => 'tsvector' });
const tstzrange = customType<{ data: string }>({ dataType: () => 'tstzrange' });

/** 1–5, and 0 as long as nobody has rated. */
const ratingAverage = (name: string) => numeric(name, { precision: 3, scale: 2, mode: 'number' }).notNull().default(0);

/**
 * One row per tutor, made empty at sign-up and completed by its tutor. Its lock guards everything else of the tutor.
 * `listed` and what it is made of stand here, and not only in the tables they sum up, so that a search can go through
 * the tutors in the order of an index.
 */
export const tutorProfiles = pgTable(
  'tutor_profiles',
  {
    /** The user's id. */
    id: uuid().primaryKey(),
    displayName: text('display_name').notNull(),
    headline: text().notNull().default(''),
    biography: text().notNull().default(''),
    languages: text().array().notNull().default([]),
    /** The languages as they are searched, see `searchKey` of the rules. */
    languageKeys: text('language_keys').array().notNull().default([]),
    subjects: text().array().notNull().default([]),
    /** The subjects as they are searched; two spellings of one subject share a key, and a tutor has each once. */
    subjectKeys: text('subject_keys').array().notNull().default([]),
    timeZone: text('time_zone').notNull(),
    instantBooking: boolean('instant_booking').notNull().default(false),
    /** The words of name, headline, biography and subjects, see `searchWords` of the rules. */
    search: tsvector().notNull().default(''),
    hasHours: boolean('has_hours').notNull().default(false),
    /** The lowest hourly price. Both are null, and the tutor is not listed, where there is none or one of the prices cannot be charged. */
    hourlyAmount: minorUnits('hourly_amount'),
    hourlyCurrency: text('hourly_currency'),
    /** Since when the stored prices cannot be charged by the rules, and when the tutor was told. */
    pricesRefusedAt: instant('prices_refused_at'),
    pricesToldAt: instant('prices_told_at'),
    /** Both from `tutor_ratings`, by its trigger. */
    ratingAverage: ratingAverage('rating_average'),
    ratingCount: integer('rating_count').notNull().default(0),
    /** The suspension because of which the tutor is not listed, whatever they do. */
    suspendedBy: uuid('suspended_by'),
    completedAt: instant('completed_at'),
    verifiedAt: instant('verified_at'),
    createdAt: instant('created_at').notNull().defaultNow(),
    updatedAt: instant('updated_at').notNull().defaultNow(),
    listed: boolean()
      .notNull()
      .generatedAlwaysAs(
        sql`completed_at is not null and has_hours and hourly_amount is not null and suspended_by is null`,
      ),
  },
  (t) => [
    index('tutor_profiles_rating').on(t.ratingAverage, t.ratingCount, t.id).where(sql`listed`),
    // For the code of before, which compares prices of all currencies.
    index('tutor_profiles_price').on(t.hourlyAmount, t.id).where(sql`listed`),
    index('tutor_profiles_currency_price').on(t.hourlyCurrency, t.hourlyAmount, t.id).where(sql`listed`),
    index('tutor_profiles_prices_untold')
      .on(t.pricesRefusedAt)
      .where(sql`prices_refused_at is not null and prices_told_at is null`),
    index('tutor_profiles_newest').on(t.id).where(sql`listed`),
    index('tutor_profiles_search').using('gin', t.search).where(sql`listed`),
    index('tutor_profiles_languages').using('gin', t.languageKeys).where(sql`listed`),
    index('tutor_profiles_subjects').using('gin', t.subjectKeys).where(sql`listed`),
  ],
);

const tutorId = () =>
  uuid('tutor_id')
    .notNull()
    .references(() => tutorProfiles.id, { onDelete: 'cascade' });

/** Local hours, of a weekday or of one date; a date without hours is a day off. Minutes count from local midnight. */
export const tutorAvailability = pgTable(
  'tutor_availability',
  {
    tutorId: tutorId(),
    position: smallint().notNull(),
    weekday: smallint(),
    date: date(),
    fromMinute: smallint('from_minute'),
    toMinute: smallint('to_minute'),
  },
  (t) => [
    primaryKey({ columns: [t.tutorId, t.position] }),
    check('tutor_availability_day', sql`num_nonnulls(weekday, date) = 1 and weekday between 1 and 7`),
    check(
      'tutor_availability_hours',
      sql`(from_minute is null and to_minute is null and date is not null)
        or (from_minute >= 0 and from_minute < to_minute and to_minute <= 1440)`,
    ),
  ],
);

export const tutorPricingOptions = pgTable(
  'tutor_pricing_options',
  {
    id: uuid().primaryKey(),
    tutorId: tutorId(),
    position: smallint().notNull(),
    kind: text({ enum: ['hourly', 'package'] }).notNull(),
    amount: minorUnits('amount').notNull(),
    currency: text().notNull(),
    sessions: integer(),
    label: text(),
    /** The rules under which the price was judged last, see `rulesUnder`; null: before there were any, or by the code of before. */
    judgedUnder: text('judged_under'),
  },
  (t) => [
    unique('tutor_pricing_options_position').on(t.tutorId, t.position),
    // What the sweep looks through: what was judged under other rules.
    index('tutor_pricing_options_judged').on(t.judgedUnder),
    check('tutor_pricing_options_amount', sql`amount >= 100`),
    check(
      'tutor_pricing_options_kind',
      sql`kind in ('hourly', 'package') and (kind = 'package') = (sessions is not null)`,
    ),
  ],
);

export const certifications = pgTable(
  'certifications',
  {
    id: uuid().primaryKey(),
    tutorId: tutorId(),
    name: text().notNull(),
    issuer: text().notNull(),
    issuedOn: date('issued_on'),
    expiresOn: date('expires_on'),
    credentialUrl: text('credential_url'),
  },
  (t) => [index('certifications_tutor').on(t.tutorId)],
);

export const education = pgTable(
  'education',
  {
    tutorId: tutorId(),
    position: smallint().notNull(),
    institution: text().notNull(),
    degree: text().notNull(),
    startYear: smallint('start_year'),
    endYear: smallint('end_year'),
  },
  (t) => [primaryKey({ columns: [t.tutorId, t.position] })],
);

/**
 * Projection of the reviews' events; every tutor has a row from the start. A trigger, made by a custom migration, carries
 * both numbers to the profile, whoever writes them here: a search looks at one table only.
 */
/** How a tutor was rated, once somebody has: a projection of the reviews among the events of tutoring. */
export const tutorRatings = pgTable('tutor_ratings', {
  tutorId: tutorId().primaryKey(),
  average: ratingAverage('average'),
  count: integer().notNull().default(0),
  /** The sum of all ratings, from which the average is rounded. */
  total: integer().notNull().default(0),
});

/**
 * The intervals that bookings keep: that of its session, and beside it what a booking has reserved for a move until its session has gone
 * there. Custom migrations add the exclusion constraint `slots_never_overlap`, which drizzle cannot express: no two bookings have
 * slots of one tutor that overlap, held, booked or reserved. Those of one booking may, since a session can move by a quarter hour.
 */
export const slots = pgTable(
  'slots',
  {
    id: uuid().primaryKey().defaultRandom(),
    /** The booking whose session this is. */
    bookingId: uuid('booking_id').unique(),
    /** The booking that has reserved this for a move of its session. */
    reservedBy: uuid('reserved_by'),
    /** The key of the step that reserved it last, by which the undo of that step knows it. */
    reservedUnder: text('reserved_under'),
    tutorId: uuid('tutor_id')
      .notNull()
      .references(() => tutorProfiles.id),
    during: tstzrange().notNull(),
    state: text({ enum: ['held', 'booked'] }).notNull(),
    /** When a hold may be taken over; a booked slot has none. */
    expiresAt: instant('expires_at'),
  },
  (t) => [
    unique('slots_reserved_once').on(t.reservedBy, t.during),
    check('slots_state', sql`state in ('held', 'booked') and (state = 'held') = (expires_at is not null)`),
    check('slots_during', sql`not isempty(during) and lower_inc(during) and not upper_inc(during)`),
    check(
      'slots_keeper',
      sql`num_nonnulls(booking_id, reserved_by) = 1 and (reserved_by is null) = (reserved_under is null)
        and (reserved_by is null or state = 'booked')`,
    ),
  ],
);

import { type Column, type SQL, sql } from 'drizzle-orm';
import { boolean, check, index, integer, jsonb, pgTable, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core';
import { instant } from '../platform';

export type UserRole = 'student' | 'tutor' | 'admin';
export type UserStatus = 'pending' | 'active' | 'suspended';

/** What a person typed at registration, kept until the sign-up saga has made a profile of it. */
export interface Registration {
  firstName: string;
  lastName: string;
  timeZone: string;
  locale: string;
}

/**
 * The words of a name by whose beginnings it is found, in small letters. The collation is named, so that letters beyond ASCII have small ones whatever
 * the locale of the database.
 */
const namedWords = (name: SQL) =>
  sql`array_remove(string_to_array(translate(lower((${name}) collate "pg_c_utf8"), '-.''’', '    '), ' '), '')`;

/** What an account is found by: its address, and the name while there is no profile. */
export const accountWords = (t: { email: Column; registration: Column }) => {
  const name = sql`(${t.registration} ->> 'firstName') || ' ' || (${t.registration} ->> 'lastName')`;
  return sql`array_to_tsvector(array_append(coalesce(${namedWords(name)}, '{}'), lower(${t.email} collate "pg_c_utf8")))`;
};

/** What a profile is found by: the name. */
export const profileWords = (t: { firstName: Column; lastName: Column }) =>
  sql`array_to_tsvector(${namedWords(sql`${t.firstName} || ' ' || ${t.lastName}`)})`;

/**
 * A person's account. While it is pending, `attempt_id` names the registration that owns the row: nobody else may take it
 * over before `attempt_until`, nor at all once `saga_started_at` is set.
 */
export const users = pgTable(
  'users',
  {
    id: uuid().primaryKey(),
    email: text().notNull(),
    /** Null: the person signs in at a provider alone. */
    passwordHash: text('password_hash'),
    role: text().$type<UserRole>().notNull(),
    status: text().$type<UserStatus>().notNull(),
    /** The person was a tutor before they had the role of now: what a tutor has in other contexts is theirs still. */
    wasTutor: boolean('was_tutor').notNull().default(false),
    emailVerifiedAt: instant('email_verified_at'),
    registration: jsonb().$type<Registration>(),
    attemptId: uuid('attempt_id').notNull(),
    attemptUntil: instant('attempt_until').notNull(),
    sagaStartedAt: instant('saga_started_at'),
    createdAt: instant('created_at').notNull().defaultNow(),
    updatedAt: instant('updated_at').notNull().defaultNow(),
  },
  (t) => [
    uniqueIndex('users_email').on(sql`lower(${t.email})`),
    index('users_words').using('gin', accountWords(t)),
    // What the sweep looks through.
    index('users_unstarted').on(t.attemptUntil).where(sql`saga_started_at is null and status = 'pending'`),
    // Whom every change of an administrator's role locks.
    index('users_admins').on(t.id).where(sql`role = 'admin'`),
    check('users_role', sql`${t.role} in ('student', 'tutor', 'admin')`),
    check('users_status', sql`${t.status} in ('pending', 'active', 'suspended')`),
    check('users_registration', sql`${t.status} <> 'pending' or ${t.registration} is not null`),
  ],
);

export const userProfiles = pgTable(
  'user_profiles',
  {
    userId: uuid('user_id')
      .primaryKey()
      .references(() => users.id, { onDelete: 'cascade' }),
    firstName: text('first_name').notNull(),
    lastName: text('last_name').notNull(),
    avatarUrl: text('avatar_url'),
    timeZone: text('time_zone').notNull(),
    locale: text().notNull(),
    updatedAt: instant('updated_at').notNull().defaultNow(),
  },
  (t) => [index('user_profiles_words').using('gin', profileWords(t))],
);

/**
 * One row per person of whom others know: the outbox of the topic `identity.people`. It says that there is something to publish and not what:
 * that stands in the account. It stays when the account is gone, and tells that.
 */
export const peoplePublished = pgTable(
  'people_published',
  {
    userId: uuid('user_id').primaryKey(),
    /** Counts the changes. */
    version: integer().notNull(),
    /** The latest that is on the bus. */
    publishedVersion: integer('published_version').notNull().default(0),
    changedAt: instant('changed_at').notNull().defaultNow(),
  },
  (t) => [index('people_unpublished').on(t.changedAt).where(sql`published_version < version`)],
);

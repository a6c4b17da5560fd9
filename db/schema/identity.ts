import { sql } from 'drizzle-orm';
import {
  bigint,
  check,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  uniqueIndex,
  uuid,
  varchar,
} from 'drizzle-orm/pg-core';
import { users } from './identity/accounts';
import type { Sealed } from './identity/sealed';
import type { SecondFactor } from './identity/second-factors';
import { instant } from './platform';

export * from './identity/accounts';
export * from './identity/email-changes';
export * from './identity/providers';
export type * from './identity/sealed';
export * from './identity/second-factors';
export * from './identity/suspensions';
export * from './identity/tutor-accounts';
export { adminActs, events, idempotencyKeys } from './platform';

export type SessionEnd =
  | 'logout'
  | 'revoked'
  | 'token_reuse'
  | 'password_reset'
  | 'password_changed'
  | 'address_proven'
  | 'email_changed'
  | 'email_reverted'
  | 'role_changed'
  | 'suspended';

/** A sign-in on one device: the family of refresh tokens that descend from it. */
export const userSessions = pgTable(
  'user_sessions',
  {
    id: uuid().primaryKey(),
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    userAgent: text('user_agent'),
    address: text(),
    /** How the person showed who they are. */
    method: text().notNull().default('password'),
    /** What they have shown besides; null: nothing. */
    secondFactor: text('second_factor').$type<SecondFactor>(),
    createdAt: instant('created_at').notNull().defaultNow(),
    lastUsedAt: instant('last_used_at').notNull().defaultNow(),
    expiresAt: instant('expires_at').notNull(),
    endedAt: instant('ended_at'),
    endReason: text('end_reason').$type<SessionEnd>(),
  },
  (t) => [
    index('user_sessions_user').on(t.userId, t.id),
    index('user_sessions_expires').on(t.expiresAt),
    check('user_sessions_end', sql`(${t.endedAt} is null) = (${t.endReason} is null)`),
    check('user_sessions_method', sql`${t.method} ~ '^(password|passkey|oidc:[a-z0-9-]{1,32})$'`),
    check('user_sessions_second_factor', sql`${t.secondFactor} in ('totp', 'recovery_code', 'passkey')`),
  ],
);

/**
 * Refresh tokens as SHA-256. A used one stays, so that its reuse is noticed. One that was given under a `refresh_id` is kept `sealed` for as long
 * as its client may ask for it again: until it is used, and for half a minute.
 */
export const refreshTokens = pgTable(
  'refresh_tokens',
  {
    tokenHash: text('token_hash').primaryKey(),
    sessionId: uuid('session_id')
      .notNull()
      .references(() => userSessions.id, { onDelete: 'cascade' }),
    createdAt: instant('created_at').notNull().defaultNow(),
    expiresAt: instant('expires_at').notNull(),
    usedAt: instant('used_at'),
    /** The one that it was exchanged for. */
    successorHash: text('successor_hash'),
    /** What its client called that exchange. */
    refreshId: uuid('refresh_id'),
    sealed: jsonb().$type<Sealed>(),
  },
  (t) => [
    // A session has one token that works, whatever races.
    uniqueIndex('refresh_tokens_live').on(t.sessionId).where(sql`used_at is null`),
    index('refresh_tokens_of_session').on(t.sessionId),
    // What is forgotten soon.
    index('refresh_tokens_sealed').on(t.createdAt).where(sql`sealed is not null`),
  ],
);

export interface StoredJwk {
  kty: 'EC';
  crv: 'P-256';
  x: string;
  y: string;
}

/** `retired_at` is when a key stops signing; it is published for a while longer, until the last token it signed has expired. */
export const signingKeys = pgTable('signing_keys', {
  kid: text().primaryKey(),
  publicJwk: jsonb('public_jwk').$type<StoredJwk>().notNull(),
  privateJwk: jsonb('private_jwk').$type<Sealed>().notNull(),
  createdAt: instant('created_at').notNull().defaultNow(),
  retiredAt: instant('retired_at'),
});

/** Tokens that prove an e-mail address, as SHA-256 only. */
export const emailVerifications = pgTable(
  'email_verifications',
  {
    tokenHash: text('token_hash').primaryKey(),
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    createdAt: instant('created_at').notNull().defaultNow(),
    expiresAt: instant('expires_at').notNull(),
    usedAt: instant('used_at'),
    replacedAt: instant('replaced_at'),
  },
  (t) => [index('email_verifications_user').on(t.userId)],
);

export type MailPurpose = 'password_reset' | 'email_verification';

/**
 * Requests for a mail with a link. `user_id` is null where the address that was typed has no active account: whoever asked cannot tell. It is no
 * foreign key, whose check would lock the user's row and take its time for those alone who have one. A row says nothing of its person but this id.
 */
export const accountMails = pgTable(
  'account_mails',
  {
    id: uuid().primaryKey(),
    purpose: text().$type<MailPurpose>().notNull(),
    userId: uuid('user_id'),
    createdAt: instant('created_at').notNull().defaultNow(),
    sagaStartedAt: instant('saga_started_at'),
  },
  (t) => [
    // What the sweep looks through.
    index('account_mails_unstarted').on(t.createdAt).where(sql`saga_started_at is null`),
    check('account_mails_purpose', sql`${t.purpose} in ('password_reset', 'email_verification')`),
  ],
);

/** Tokens that set a new password, as SHA-256 only. Each counts for as long as `email`, where it was sent, is the user's address. */
export const passwordResets = pgTable(
  'password_resets',
  {
    tokenHash: text('token_hash').primaryKey(),
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    email: text().notNull(),
    createdAt: instant('created_at').notNull().defaultNow(),
    expiresAt: instant('expires_at').notNull(),
    usedAt: instant('used_at'),
    replacedAt: instant('replaced_at'),
  },
  (t) => [index('password_resets_user').on(t.userId)],
);

/**
 * From where a person has signed in, as a keyed hash of the network address: from there they are let in while others guess at their
 * account. The address itself is not kept for it.
 */
export const loginAddresses = pgTable(
  'login_addresses',
  {
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    addressHash: text('address_hash').notNull(),
    lastLoginAt: instant('last_login_at').notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.userId, t.addressHash] }), index('login_addresses_last_login').on(t.lastLoginAt)],
);

/** Fixed windows of identity's limits; columns and their order are those rate-limiter-flexible expects. */
export const rateLimits = pgTable(
  'rate_limits',
  {
    key: varchar({ length: 255 }).primaryKey(),
    points: integer().notNull().default(0),
    expire: bigint({ mode: 'number' }),
  },
  (t) => [index('rate_limits_expire').on(t.expire)],
);

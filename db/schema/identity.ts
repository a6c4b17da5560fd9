import { type Column, type SQL, sql } from 'drizzle-orm';
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
import { instant } from './platform';

export { adminActs, events, idempotencyKeys } from './platform';

export type UserRole = 'student' | 'tutor' | 'admin';
export type UserStatus = 'pending' | 'active';

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
    check('users_role', sql`${t.role} in ('student', 'tutor', 'admin')`),
    check('users_status', sql`${t.status} in ('pending', 'active')`),
    check('users_registration', sql`${t.status} = 'active' or ${t.registration} is not null`),
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

export type SessionEnd =
  | 'logout'
  | 'revoked'
  | 'token_reuse'
  | 'password_reset'
  | 'password_changed'
  | 'address_proven';

/** What a person shows besides their password: a code of their authenticator, one of those that they have on paper, or a key of a device. */
export type SecondFactor = 'totp' | 'recovery_code' | 'passkey';

/** A text under AES-256-GCM, all parts base64url. */
export interface Sealed {
  iv: string;
  ciphertext: string;
  tag: string;
}

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
 * Sign-ins at OpenID providers by which a person is known: whoever proves to be `subject` at `issuer` is that person, whatever address they have
 * there (OpenID Connect Core 1.0 §5.7).
 */
export const userIdentities = pgTable(
  'user_identities',
  {
    id: uuid().primaryKey(),
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    /** What the settings call it. */
    provider: text().notNull(),
    issuer: text().notNull(),
    subject: text().notNull(),
    /** The address that the provider said last, for the person to know the sign-in by. It proves nothing. */
    email: text(),
    linkedAt: instant('linked_at').notNull().defaultNow(),
    lastUsedAt: instant('last_used_at'),
  },
  (t) => [
    uniqueIndex('user_identities_subject').on(t.issuer, t.subject),
    // A session says at which provider it began; so it is known by which of its person's sign-ins.
    uniqueIndex('user_identities_of_user').on(t.userId, t.provider),
  ],
);

/** What the app asked for that began a sign-in, should it be the first one of its person. */
export interface SignUpWishes {
  role?: 'student' | 'tutor' | undefined;
  timeZone?: string | undefined;
  locale?: string | undefined;
}

/**
 * A sign-in at a provider from its start until it is finished, which it is once. `user_id`: who links another sign-in to their account. `secrets` are
 * what the provider's answer is checked with, `claims` what it said, while the person still has to add to it.
 */
export const oidcTransactions = pgTable(
  'oidc_transactions',
  {
    id: uuid().primaryKey(),
    provider: text().notNull(),
    userId: uuid('user_id').references(() => users.id, { onDelete: 'cascade' }),
    stateHash: text('state_hash').notNull(),
    /** SHA-256 of what only the app knows that began it. */
    verifierHash: text('verifier_hash').notNull(),
    redirectUri: text('redirect_uri').notNull(),
    wishes: jsonb().$type<SignUpWishes>().notNull(),
    secrets: jsonb().$type<Sealed>().notNull(),
    claims: jsonb().$type<Sealed>(),
    createdAt: instant('created_at').notNull().defaultNow(),
    expiresAt: instant('expires_at').notNull(),
    /** When the provider's answer was handed in. */
    answeredAt: instant('answered_at'),
  },
  (t) => [
    uniqueIndex('oidc_transactions_state').on(t.stateHash),
    index('oidc_transactions_user').on(t.userId),
    index('oidc_transactions_expires').on(t.expiresAt),
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

/**
 * The authenticator of a person (RFC 6238), at most one. It asks nothing of anybody before `confirmed_at`: until then its person has not shown that
 * they have it. Whoever changes a row holds the lock of its user.
 */
export const totpFactors = pgTable('totp_factors', {
  userId: uuid('user_id')
    .primaryKey()
    .references(() => users.id, { onDelete: 'cascade' }),
  sealedSecret: jsonb('sealed_secret').$type<Sealed>().notNull(),
  createdAt: instant('created_at').notNull().defaultNow(),
  confirmedAt: instant('confirmed_at'),
  /** The step of 30 seconds whose code was taken last: neither it nor one before is taken again. */
  lastStep: bigint('last_step', { mode: 'number' }),
});

/** What lets a person in who has lost their authenticator, as SHA-256 only. */
export const recoveryCodes = pgTable(
  'recovery_codes',
  {
    userId: uuid('user_id')
      .notNull()
      .references(() => totpFactors.userId, { onDelete: 'cascade' }),
    codeHash: text('code_hash').notNull(),
    usedAt: instant('used_at'),
  },
  (t) => [primaryKey({ columns: [t.userId, t.codeHash] })],
);

/** Keys of devices that sign in place of a code; they go with the authenticator. Whoever changes a row holds the lock of its user. */
export const passkeys = pgTable(
  'passkeys',
  {
    id: uuid().primaryKey(),
    userId: uuid('user_id')
      .notNull()
      .references(() => totpFactors.userId, { onDelete: 'cascade' }),
    /** What its authenticator calls it, base64url. */
    credentialId: text('credential_id').notNull(),
    /** COSE, base64url. */
    publicKey: text('public_key').notNull(),
    /** How often it has signed: one that falls behind was copied. */
    counter: bigint({ mode: 'number' }).notNull(),
    /** How a browser reaches it. */
    transports: jsonb().$type<string[]>().notNull(),
    createdAt: instant('created_at').notNull().defaultNow(),
    lastUsedAt: instant('last_used_at'),
  },
  (t) => [uniqueIndex('passkeys_credential').on(t.credentialId), index('passkeys_user').on(t.userId)],
);

/** What a new passkey of a person is to sign, at most one. */
export const passkeyRegistrations = pgTable('passkey_registrations', {
  userId: uuid('user_id')
    .primaryKey()
    .references(() => users.id, { onDelete: 'cascade' }),
  challenge: text().notNull(),
  expiresAt: instant('expires_at').notNull(),
});

/**
 * Sign-ins that wait for a second factor, their ids as SHA-256 only. Each counts for as long as its user has the password or the sign-in at a provider
 * that it was opened with.
 */
export const loginChallenges = pgTable(
  'login_challenges',
  {
    idHash: text('id_hash').primaryKey(),
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    passwordHash: text('password_hash'),
    identityId: uuid('identity_id').references(() => userIdentities.id, { onDelete: 'cascade' }),
    /** What a passkey is to sign; null where the person has none. */
    passkeyChallenge: text('passkey_challenge'),
    createdAt: instant('created_at').notNull().defaultNow(),
    expiresAt: instant('expires_at').notNull(),
    usedAt: instant('used_at'),
  },
  (t) => [
    index('login_challenges_user').on(t.userId),
    index('login_challenges_identity').on(t.identityId),
    index('login_challenges_expires').on(t.expiresAt),
    check('login_challenges_proof', sql`(${t.passwordHash} is null) <> (${t.identityId} is null)`),
  ],
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

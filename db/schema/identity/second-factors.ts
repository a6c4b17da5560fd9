import { sql } from 'drizzle-orm';
import { bigint, check, index, jsonb, pgTable, primaryKey, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core';
import { instant } from '../platform';
import { users } from './accounts';
import { userIdentities } from './providers';
import type { Sealed } from './sealed';

/** What a person shows besides their password: a code of their authenticator, one of those that they have on paper, or a key of a device. */
export type SecondFactor = 'totp' | 'recovery_code' | 'passkey';

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

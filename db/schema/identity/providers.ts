import { index, jsonb, pgTable, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core';
import { instant } from '../platform';
import { users } from './accounts';
import type { Sealed } from './sealed';

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

import { asc, eq } from 'drizzle-orm';
import type { Database } from '../../db/client';
import { events, users } from '../../db/schema/identity';
import { uuidv7 } from '../../platform/ids';
import { activateUser, createProfile } from '../../services/identity/store/saga-steps';
import { type NewUser, storePendingUser } from '../../services/identity/store/sign-up';

// Users as identity's store keeps them.

export const registration = { firstName: 'Ada', lastName: 'Lovelace', timeZone: 'Europe/Berlin', locale: 'de' };

export const newUser = (email: string, firstName = 'Ada'): NewUser => ({
  email,
  passwordHash: `hash of ${firstName}`,
  role: 'student',
  registration: { ...registration, firstName },
});

export const uniqueEmail = () => `user-${uuidv7()}@example.com`;

/** A request of the sign-up saga under `key`. */
export const step = <Key extends string>(key: Key) => ({ owner: 'service', key, fingerprint: key });

/** The requests of the saga that signs `userId` up. */
export const stepsFor = (userId: string) => ({
  profile: step(`user:${userId}/profile`),
  unprofile: step(`user:${userId}/profile/undo`),
  activate: step(`user:${userId}/activate`),
  remove: step(`user:${userId}/register/undo`),
});

/** What identity told of a user or session, the oldest event first. */
export const eventsOf = (db: Database, streamId: string) =>
  db.select().from(events).where(eq(events.streamId, streamId)).orderBy(asc(events.version));

/** Lets the time run out in which a registration owns its pending user. */
export const expire = (db: Database, userId: string) =>
  db
    .update(users)
    .set({ attemptUntil: new Date(Date.now() - 1_000) })
    .where(eq(users.id, userId));

/** Stores a user and takes it through the steps of the saga. @returns the user's id */
export async function activeUser(db: Database, email = uniqueEmail()): Promise<string> {
  const { userId } = await storePendingUser(db, newUser(email));
  await createProfile(db, stepsFor(userId).profile, userId);
  await activateUser(db, stepsFor(userId).activate, userId);
  return userId;
}

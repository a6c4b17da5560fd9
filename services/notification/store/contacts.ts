import { type Column, eq, lt, sql } from 'drizzle-orm';
import { builtOnce, type Database, type Transaction } from '../../../db/client';
import { contacts, people, verifiedAddresses } from '../../../db/schema/notification';
import type { Contact, Recipient } from '../contract';

const contactOf = builtOnce((db: Database | Transaction) =>
  db
    .select({
      email: contacts.email,
      // What the bus tells is newer; until it does, what came with the address holds.
      emailVerified: sql<boolean>`(${contacts.emailVerified} or ${verifiedAddresses.userId} is not null)`,
      name: sql<string>`coalesce(${people.displayName}, ${contacts.name})`,
      locale: sql<string>`coalesce(${people.locale}, ${contacts.locale})`,
      timeZone: sql<string>`coalesce(${people.timeZone}, ${contacts.timeZone})`,
    })
    .from(contacts)
    .leftJoin(people, eq(people.userId, contacts.userId))
    .leftJoin(verifiedAddresses, eq(verifiedAddresses.userId, contacts.userId))
    .where(eq(contacts.userId, sql.placeholder('userId')))
    .prepare('contact_of'),
);

/** Where a person is reached now, and how they read; undefined while nobody has said so. */
export async function readContact(db: Database | Transaction, userId: string): Promise<Recipient | undefined> {
  const [contact] = await contactOf(db, {}).execute({ userId });
  return contact;
}

/**
 * Keeps where people are reached. What is known as of the same time or later stays, so it is harmless twice and in any order. An address that is being
 * changed, or was and can be changed back, stays too: identity may have been asked before it was.
 * @returns how many were new or other
 */
export async function keepContacts(db: Database | Transaction, items: readonly Contact[]): Promise<number> {
  if (items.length === 0) return 0;
  const rows = items.map(({ asOf, ...contact }) => ({ ...contact, asOf: new Date(asOf) }));
  // In one order, so that two who write the same people do not wait for each other in a circle.
  rows.sort((one, other) => (one.userId < other.userId ? -1 : 1));
  const { userId, email, emailVerified, name, locale, timeZone, asOf, changedBy } = contacts;
  const brought = (column: { name: string }) => sql`excluded.${sql.identifier(column.name)}`;
  const unlessChanged = (column: Column) =>
    sql`case when ${changedBy} is null then ${brought(column)} else ${column} end`;
  const kept = await db
    .insert(contacts)
    .values(rows)
    .onConflictDoUpdate({
      target: userId,
      set: {
        email: unlessChanged(email),
        emailVerified: unlessChanged(emailVerified),
        name: brought(name),
        locale: brought(locale),
        timeZone: brought(timeZone),
        asOf: brought(asOf),
        updatedAt: sql`now()`,
      },
      setWhere: lt(asOf, brought(asOf)),
    })
    .returning({ userId });
  return kept.length;
}

/** Nothing remains of where a person was reached. */
export async function removeContact(tx: Transaction, userId: string): Promise<void> {
  await tx.delete(contacts).where(eq(contacts.userId, userId));
}

import { asc, eq, sql } from 'drizzle-orm';
import type { z } from 'zod';
import type { Database, Transaction } from '../../../db/client';
import { peoplePublished, userProfiles, users } from '../../../db/schema/identity';
import { OUTBOX, type Outbox } from '../../../platform/bus/relay';
import { enveloped } from '../../../platform/bus/transport';
import { announcing } from '../../../platform/changes';
import { uuidv7 } from '../../../platform/ids';
import type { identityPeople } from '../events';
import { displayName } from '../rules';

/** The topic that holds of every person what others may keep of them. */
const PEOPLE = 'identity.people';

/** Has a person's newest state published, in the transaction that changes it; the caller holds the lock of the user's row. */
export async function publishPerson(tx: Transaction, userId: string): Promise<void> {
  await tx
    .insert(peoplePublished)
    .values({ userId, version: 1 })
    .onConflictDoUpdate({
      target: peoplePublished.userId,
      set: { version: sql`${peoplePublished.version} + 1`, changedAt: sql`now()` },
    })
    .returning(announcing(OUTBOX));
}

/** Everybody whose newest state is not on the bus. What is published is read with its version, so that both are of one moment. */
export function peopleOutbox(db: Database): Outbox {
  return {
    topic: PEOPLE,
    keyed: true,
    async unpublished(limit) {
      const rows = await db
        .select({ person: peoplePublished, user: users, profile: userProfiles })
        .from(peoplePublished)
        .leftJoin(users, eq(users.id, peoplePublished.userId))
        .leftJoin(userProfiles, eq(userProfiles.userId, peoplePublished.userId))
        .where(sql`${peoplePublished.publishedVersion} < ${peoplePublished.version}`)
        .orderBy(asc(peoplePublished.changedAt))
        .limit(limit);
      return rows.map(({ person: { userId, version, changedAt }, user, profile }) =>
        enveloped({
          ...{ context: 'identity', id: uuidv7(), type: 'Person', streamId: userId, version, occurredAt: changedAt },
          data: user && profile ? asPublished(user, profile) : null,
        }),
      );
    },
    async published(batch) {
      const versions = JSON.stringify(
        batch.map(({ subject, streamversion }) => ({ id: subject, version: streamversion })),
      );
      await db.execute(sql`
        update ${peoplePublished} p set published_version = greatest(p.published_version, told.version)
        from jsonb_to_recordset(${versions}::text::jsonb) as told(id uuid, version integer) where p.user_id = told.id`);
    },
  };
}

function asPublished(
  { role, status }: typeof users.$inferSelect,
  profile: typeof userProfiles.$inferSelect,
): z.output<typeof identityPeople> {
  const { avatarUrl, timeZone, locale } = profile;
  return { displayName: displayName(profile), avatarUrl, role, timeZone, locale, status };
}

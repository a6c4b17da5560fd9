import { eq, lt } from 'drizzle-orm';
import { people } from '../../../db/schema/booking';
import type { Projection } from '../../../platform/bus/consumer';
import { identityPeople } from '../../identity/events';

/** What people are called today, for whoever sees their bookings. */
export const peopleProjection: Projection = {
  kind: 'projection',
  name: 'people',
  topic: 'identity.people',
  tables: ['people'],
  async apply(tx, { subject: userId, streamversion: version, data }) {
    if (data === null) {
      await tx.delete(people).where(eq(people.userId, userId));
      return;
    }
    const { displayName } = identityPeople.pick({ displayName: true }).strip().parse(data);
    await tx
      .insert(people)
      .values({ userId, version, displayName })
      .onConflictDoUpdate({
        target: people.userId,
        set: { version, displayName },
        setWhere: lt(people.version, version),
      });
  },
};

import { eq, lt } from 'drizzle-orm';
import { people } from '../../../db/schema/notification';
import type { Projection } from '../../../platform/bus/consumer';
import { identityPeople } from '../../identity/events';

/** What people are called today, in which language they read and in which zone: for whoever is written to. */
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
    const known = { displayName: true, locale: true, timeZone: true } as const;
    const person = { version, ...identityPeople.pick(known).strip().parse(data) };
    await tx
      .insert(people)
      .values({ userId, ...person })
      .onConflictDoUpdate({ target: people.userId, set: person, setWhere: lt(people.version, version) });
  },
};

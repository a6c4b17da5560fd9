import { createIdentityClient } from '../services/identity/client';
import { createNotificationClient } from '../services/notification/client';
import { CONTACTS_AT_ONCE } from '../services/notification/contract';
import type { Clients } from './clients';

/** What came of one page of people. A history names nobody: `next` is the id of the last one, null after the last page. */
export interface ContactsBrought {
  people: number;
  /** Whose contact was new to notification, or another. */
  changed: number;
  next: string | null;
}

export type ContactActivities = ReturnType<typeof createContactActivities>;

/** What the Schedule asks that fills in where people are reached. It needs no keys: what is repeated changes nothing. */
export function createContactActivities({ clientOf }: Clients) {
  const identity = clientOf('identity', createIdentityClient);
  const notification = clientOf('notification', createNotificationClient);

  return {
    /** Hands addresses of active people from identity to notification, a page at a time. None is returned. */
    async bringContacts({ after }: { after: string | null }): Promise<ContactsBrought> {
      const { items, next } = await identity.listContacts(after, CONTACTS_AT_ONCE);
      const { changed } = await notification.bringContacts(items);
      return { people: items.length, changed, next };
    },
  };
}

import { HOUR, SECOND } from '../../kernel/time';
import type { Reactor } from '../../platform/bus/consumer';
import { handling } from '../../platform/bus/handling';
import type { Config } from '../../platform/config';
import { identityEvents } from '../identity/events';
import { announcementOf } from './announcement';
import { createFactsSealer } from './sealed-facts';
import { readContact } from './store/contacts';
import { recordNotification } from './store/saga-steps';

/** Tells a person that they have another role. While nobody has said where they are reached, the event is tried again. */
export const roleNotices: Reactor = {
  kind: 'reactor',
  name: 'role-notices',
  topic: 'identity.events',
  actsWithinSeconds: HOUR / SECOND,
  ...handling<typeof identityEvents, [Config]>(identityEvents, {
    async UserRoleChanged(tx, { userId, to }, { id }, config) {
      const message = {
        ...{ template: 'role_changed' as const, recipientId: userId, usefulUntil: null },
        data: { role: to },
      };
      const announcing = { sealer: createFactsSealer(config), publicUrl: config.PUBLIC_URL };
      const [contact, key] = [await readContact(tx, userId), `user:${userId}/role-changed/${id}`];
      await recordNotification(tx, announcementOf(contact, announcing, key, message));
    },
  }),
};

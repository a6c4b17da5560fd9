import { FORGOT_PAGE } from '../../kernel/pages';
import { HOUR, SECOND } from '../../kernel/time';
import type { Reactor } from '../../platform/bus/consumer';
import { handling } from '../../platform/bus/handling';
import type { Config } from '../../platform/config';
import { identityEvents } from '../identity/events';
import { announcementOf } from './announcement';
import { createFactsSealer } from './sealed-facts';
import { readContact } from './store/contacts';
import { recordNotification } from './store/saga-steps';

/**
 * Tells a person that their password was changed, and how to object: whoever changed it may not be they. While nobody has said where they are
 * reached, the event is tried again.
 */
export const passwordNotices: Reactor = {
  kind: 'reactor',
  name: 'password-notices',
  topic: 'identity.events',
  actsWithinSeconds: HOUR / SECOND,
  ...handling<typeof identityEvents, [Config]>(identityEvents, {
    async UserPasswordChanged(tx, { userId }, { id }, config) {
      const message = {
        ...{ template: 'password_changed' as const, recipientId: userId, usefulUntil: null },
        data: { forgotUrl: `${config.PUBLIC_URL}${FORGOT_PAGE}` },
      };
      const announcing = { sealer: createFactsSealer(config), publicUrl: config.PUBLIC_URL };
      const [contact, key] = [await readContact(tx, userId), `user:${userId}/password-changed/${id}`];
      await recordNotification(tx, announcementOf(contact, announcing, key, message));
    },
  }),
};

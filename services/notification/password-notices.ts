import { HOUR, SECOND } from '../../kernel/time';
import type { Reactor } from '../../platform/bus/consumer';
import { handling } from '../../platform/bus/handling';
import type { Config } from '../../platform/config';
import { identityEvents } from '../identity/events';
import { recordAccessNotice } from './store/account-notice';

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
      await recordAccessNotice(tx, { userId, template: 'password_changed', config }, `password-changed/${id}`);
    },
  }),
};

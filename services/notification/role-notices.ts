import { HOUR, SECOND } from '../../kernel/time';
import type { Reactor } from '../../platform/bus/consumer';
import { handling } from '../../platform/bus/handling';
import type { Config } from '../../platform/config';
import { identityEvents } from '../identity/events';
import { recordAccountNotice } from './store/account-notice';

/** Tells a person that they have another role. While nobody has said where they are reached, the event is tried again. */
export const roleNotices: Reactor = {
  kind: 'reactor',
  name: 'role-notices',
  topic: 'identity.events',
  actsWithinSeconds: HOUR / SECOND,
  ...handling<typeof identityEvents, [Config]>(identityEvents, {
    async UserRoleChanged(tx, { userId, to }, { id }, config) {
      const about = { recipientId: userId, usefulUntil: null, data: { role: to } };
      await recordAccountNotice(tx, config, { template: 'role_changed', ...about }, `role-changed/${id}`);
    },
  }),
};

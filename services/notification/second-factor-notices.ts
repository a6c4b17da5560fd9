import { HOUR, SECOND } from '../../kernel/time';
import type { Reactor } from '../../platform/bus/consumer';
import { handling } from '../../platform/bus/handling';
import type { Config } from '../../platform/config';
import { identityEvents } from '../identity/events';
import { recordAccessNotice } from './store/account-notice';

/**
 * Tells a person that a second factor or a passkey was set up for their account, or removed. While nobody has said where they are reached, the event is
 * tried again.
 */
export const secondFactorNotices: Reactor = {
  kind: 'reactor',
  name: 'second-factor-notices',
  topic: 'identity.events',
  actsWithinSeconds: HOUR / SECOND,
  ...handling<typeof identityEvents, [Config]>(identityEvents, {
    UserSecondFactorAdded: (tx, { userId }, { id }, config) =>
      recordAccessNotice(tx, { userId, template: 'second_factor_added', config }, `second-factor/${id}`),
    UserSecondFactorRemoved: (tx, { userId }, { id }, config) =>
      recordAccessNotice(tx, { userId, template: 'second_factor_removed', config }, `second-factor/${id}`),
    UserPasskeyAdded: (tx, { userId }, { id }, config) =>
      recordAccessNotice(tx, { userId, template: 'passkey_added', config }, `second-factor/${id}`),
    UserPasskeyRemoved: (tx, { userId }, { id }, config) =>
      recordAccessNotice(tx, { userId, template: 'passkey_removed', config }, `second-factor/${id}`),
  }),
};

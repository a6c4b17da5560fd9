import { FORGOT_PAGE } from '../../kernel/pages';
import { HOUR, SECOND } from '../../kernel/time';
import type { Reactor } from '../../platform/bus/consumer';
import { handling } from '../../platform/bus/handling';
import type { Config } from '../../platform/config';
import { nameOfProvider } from '../../platform/oidc-settings';
import { identityEvents } from '../identity/events';
import { recordAccountNotice } from './store/account-notice';

/**
 * Tells a person that a sign-in at a provider was linked to their account or unlinked, and how to object: whoever did it may not be they. While nobody
 * has said where they are reached, the event is tried again.
 */
export const signInNotices: Reactor = {
  kind: 'reactor',
  name: 'sign-in-notices',
  topic: 'identity.events',
  actsWithinSeconds: HOUR / SECOND,
  ...handling<typeof identityEvents, [Config]>(identityEvents, {
    IdentityLinked: (tx, data, { id }, config) => tell(tx, 'sign_in_linked', data, id, config),
    IdentityUnlinked: (tx, data, { id }, config) => tell(tx, 'sign_in_unlinked', data, id, config),
  }),
};

async function tell(
  tx: Parameters<typeof recordAccountNotice>[0],
  template: 'sign_in_linked' | 'sign_in_unlinked',
  { userId, provider }: { userId: string; provider: string },
  eventId: string,
  config: Config,
): Promise<void> {
  const named = nameOfProvider(config.oidcProviders, provider);
  const data = { provider: named, forgotUrl: `${config.PUBLIC_URL}${FORGOT_PAGE}` };
  const message = { template, recipientId: userId, usefulUntil: null, data };
  await recordAccountNotice(tx, config, message, `${template.replaceAll('_', '-')}/${eventId}`);
}

import Stripe from 'stripe';
import { loadConfig } from '../../../platform/config';
import { createLogger } from '../../../platform/telemetry';
import { createStripe } from './door';

const PLATFORM = 'whsec_of_the_platform';
const CONNECT = 'whsec_of_connected_accounts';
const { webhooks } = new Stripe('sk_test_forger');

const BOTH = { STRIPE_WEBHOOK_SECRET: PLATFORM, STRIPE_CONNECT_WEBHOOK_SECRET: CONNECT };

interface Signing {
  secret: string;
  timestamp?: number;
}

/** What the door makes of an event that is signed so, when it has these secrets. */
function read(secrets: Record<string, string>, account: unknown, { secret, timestamp }: Signing) {
  const object = { object: 'payment_intent', id: 'pi_1' };
  const event = { id: 'evt_1', type: 'payment_intent.succeeded', created: 1_700_000_000, data: { object } };
  const payload = JSON.stringify({ ...event, ...(account === undefined ? {} : { account }) });
  const signature = webhooks.generateTestHeaderString({ payload, secret, ...(timestamp && { timestamp }) });
  const config = loadConfig({ SERVICE_TOKEN_SECRET: 's'.repeat(32), ...secrets }, 'none');
  const door = createStripe(config, createLogger('payment', 'silent'));
  try {
    return door.readEvent(Buffer.from(payload), signature).account ?? 'the platform';
  } catch (error) {
    return error instanceof Error && 'code' in error ? error.code : error;
  }
}

test.each([
  ['of the platform', undefined, 'its own', PLATFORM, 'the platform'],
  ['of the platform', undefined, 'Connect’s', CONNECT, 'invalid_signature'],
  ['of the platform', undefined, 'nobody’s', 'whsec_of_somebody', 'invalid_signature'],
  ['with a null account', null, 'the platform’s', PLATFORM, 'the platform'],
  ['with a null account', null, 'Connect’s', CONNECT, 'invalid_signature'],
  ['of a connected account', 'acct_1', 'Connect’s', CONNECT, 'acct_1'],
  ['of a connected account', 'acct_1', 'the platform’s', PLATFORM, 'invalid_signature'],
  ['of a connected account', 'acct_1', 'nobody’s', 'whsec_of_somebody', 'invalid_signature'],
  ['with an account that is none', {}, 'Connect’s', CONNECT, 'malformed_body'],
  ['with an empty account', '', 'Connect’s', CONNECT, 'malformed_body'],
  ['with an empty account', '', 'the platform’s', PLATFORM, 'malformed_body'],
])('an event %s (%j) under %s secret', (_, account, __, secret, outcome) => {
  expect(read(BOTH, account, { secret })).toBe(outcome);
});

test.each([
  ['without Connect’s secret', { STRIPE_WEBHOOK_SECRET: PLATFORM }, 'the platform', 'invalid_signature'],
  ['without the platform’s', { STRIPE_CONNECT_WEBHOOK_SECRET: CONNECT }, 'invalid_signature', 'acct_1'],
  ['with an empty one', { ...BOTH, STRIPE_CONNECT_WEBHOOK_SECRET: '' }, 'the platform', 'invalid_signature'],
  ['without any', {}, 'invalid_signature', 'invalid_signature'],
])('%s events for the other endpoint alone are believed', (_, secrets, ofPlatform, ofAccount) => {
  expect(read(secrets, undefined, { secret: PLATFORM })).toBe(ofPlatform);
  expect(read(secrets, 'acct_1', { secret: CONNECT })).toBe(ofAccount);
  expect(read(secrets, 'acct_1', { secret: PLATFORM })).toBe('invalid_signature');
  expect(read(secrets, undefined, { secret: CONNECT })).toBe('invalid_signature');
});

test('under Connect’s secret, too, what is older than five minutes or dated ahead as much is refused', () => {
  const now = Math.floor(Date.now() / 1_000);
  expect(read(BOTH, 'acct_1', { secret: CONNECT, timestamp: now - 301 })).toBe('invalid_signature');
  expect(read(BOTH, 'acct_1', { secret: CONNECT, timestamp: now + 400 })).toBe('invalid_signature');
  expect(read(BOTH, 'acct_1', { secret: CONNECT, timestamp: now + 200 })).toBe('acct_1');
});

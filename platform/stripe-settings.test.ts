import { ConfigError, loadConfig } from './config';

const SECRET = 's'.repeat(32);
const load = (environment: Record<string, string>) =>
  loadConfig({ SERVICE_TOKEN_SECRET: SECRET, ...environment }, 'no-env-file-in-tests');

function complaints(environment: Record<string, string>): string {
  try {
    load(environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return '';
}

const LIVE = { STRIPE_SECRET_KEY: 'sk_live_1', STRIPE_PUBLISHABLE_KEY: 'pk_live_1' };
const TEST = { STRIPE_SECRET_KEY: 'rk_test_1', STRIPE_PUBLISHABLE_KEY: 'pk_test_1' };

test('a Stripe key means Stripe itself and its own library, unless others are named', () => {
  expect(load(LIVE)).toMatchObject({ ...LIVE, STRIPE_SCRIPT_URL: 'https://js.stripe.com/endive/stripe.js' });
  expect(load(LIVE).STRIPE_API_BASE).toBeUndefined();
  const others = { STRIPE_API_BASE: 'http://mock:1', STRIPE_SCRIPT_URL: 'https://cdn.example/stripe.js' };
  expect(load({ ...TEST, ...others })).toMatchObject(others);
});

test('without a key pages load the library of the sandbox, wherever it is', () => {
  expect(load({ STRIPE_SANDBOX_PORT: '9420' }).STRIPE_SCRIPT_URL).toBe('http://127.0.0.1:9420/stripe.js');
  expect(load({ STRIPE_API_BASE: 'http://stripe.local:1' }).STRIPE_SCRIPT_URL).toBe('http://stripe.local:1/stripe.js');
});

test('who has a secret key of Stripe is to give the publishable one too', () => {
  const message = complaints({ STRIPE_SECRET_KEY: 'sk_test_1' });
  expect(message).toContain('STRIPE_PUBLISHABLE_KEY is missing');
  expect(message).not.toContain('sk_test_1');
});

test.each([
  ['sk_live_1', 'pk_test_1'],
  ['sk_test_1', 'pk_live_1'],
  ['rk_live_1', 'pk_test_1'],
  ['', 'pk_live_1'],
])('the keys %j and %j are of two modes, and refused without being repeated', (secret, publishable) => {
  const message = complaints({ STRIPE_SECRET_KEY: secret, STRIPE_PUBLISHABLE_KEY: publishable });
  expect(message).toContain('STRIPE_PUBLISHABLE_KEY must be of the same mode, live or test, as STRIPE_SECRET_KEY');
  expect(message).not.toMatch(/[psr]k_(?:live|test)_1/);
});

test('the two secrets of webhooks are two, wherever', () => {
  const same = { STRIPE_WEBHOOK_SECRET: 'whsec_the_same', STRIPE_CONNECT_WEBHOOK_SECRET: 'whsec_the_same' };
  for (const NODE_ENV of ['development', 'production']) {
    const message = complaints({ NODE_ENV, ...same });
    expect(message).toContain('STRIPE_CONNECT_WEBHOOK_SECRET must not be the same as STRIPE_WEBHOOK_SECRET');
    expect(message).not.toContain('whsec_the_same');
  }
  const two = { ...same, STRIPE_CONNECT_WEBHOOK_SECRET: 'whsec_another' };
  expect(load({ NODE_ENV: 'production', ...two })).toMatchObject(two);
});

test('production that is given one secret of webhooks is to be given both; elsewhere one will do', () => {
  const one = { STRIPE_WEBHOOK_SECRET: 'whsec_of_the_platform' };
  const message = complaints({ NODE_ENV: 'production', ...one });
  expect(message).toContain('STRIPE_CONNECT_WEBHOOK_SECRET is missing');
  expect(load(one).STRIPE_CONNECT_WEBHOOK_SECRET).toBeUndefined();
  // Whoever is given neither hears no webhooks: the other services, in the compose file.
  expect(load({ NODE_ENV: 'production' }).STRIPE_WEBHOOK_SECRET).toBeUndefined();
});

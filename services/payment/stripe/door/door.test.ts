import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { loadConfig } from '../../../../platform/config';
import { createLogger, metrics } from '../../../../platform/telemetry';
import { calledByTests } from '../../../../tests/support/vendors';
import type { IntentParams } from '../answers';
import { createStripe, type StripeDoor } from '.';

/** A server that answers every request with one status, headers and body: what Stripe, or something in front of it, may say. */
let server: Server;
let answer: { status: number; headers?: Record<string, string>; body: unknown };
/** What was logged. */
let lines: string[] = [];
let asked: { url: string; headers: Record<string, unknown>; body: string }[] = [];

beforeAll(async () => {
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      asked.push({ url: String(request.url), headers: request.headers, body });
      const text = typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body);
      response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers }).end(text);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  asked = [];
  lines = [];
});

function door(environment: Record<string, string> = {}): StripeDoor {
  return calledByTests('stripe', doorOf(environment));
}

function doorOf(environment: Record<string, string> = {}): StripeDoor {
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const config = loadConfig({ SERVICE_TOKEN_SECRET: 's'.repeat(32), STRIPE_API_BASE: base, ...environment }, 'none');
  return createStripe(config, createLogger('payment', 'info', { write: (line) => void lines.push(line) }), 1_000);
}

const params: IntentParams = {
  paymentId: 'p1',
  subject: { kind: 'booking', id: 'b1' },
  amount: { amount: 4500, currency: 'EUR' },
  paymentMethodId: 'pm_card_visa',
  customerId: null,
  capture: 'manual',
};
const failing = (status: number, error: Record<string, unknown>, headers?: Record<string, string>) => {
  answer = { status, body: { error }, ...(headers && { headers }) };
  return door().createIntent('key/1', params);
};

test('a charge is asked for once, under its key, in a pinned version, with nothing about people', async () => {
  await failing(500, { type: 'api_error' });
  expect(asked).toHaveLength(1);
  expect(asked[0]?.headers).toMatchObject({ 'idempotency-key': 'key/1', 'stripe-version': '2026-10-28.endive' });
  expect(Object.fromEntries(new URLSearchParams(asked[0]?.body))).toEqual({
    amount: '4500',
    currency: 'eur',
    payment_method: 'pm_card_visa',
    capture_method: 'manual',
    confirm: 'true',
    'automatic_payment_methods[enabled]': 'true',
    'automatic_payment_methods[allow_redirects]': 'never',
    description: 'Tutoring session',
    'metadata[paymentId]': 'p1',
    'metadata[bookingId]': 'b1',
    'expand[0]': 'latest_charge.balance_transaction',
  });
});

test.each<[string, number, Record<string, unknown>, Record<string, string> | undefined, unknown]>([
  [
    'a decline',
    402,
    { type: 'card_error', code: 'card_declined', decline_code: 'lost_card' },
    undefined,
    { kind: 'declined', code: 'lost_card', intent: null },
  ],
  [
    'a decline without a reason',
    402,
    { type: 'card_error', code: 'card_declined' },
    undefined,
    { kind: 'declined', code: 'card_declined', intent: null },
  ],
  [
    'a refused parameter',
    400,
    { type: 'invalid_request_error', code: 'amount_too_small' },
    undefined,
    { kind: 'rejected', code: 'amount_too_small' },
  ],
  [
    'an invalid request without a code, by no name of the SDK',
    400,
    { type: 'invalid_request_error' },
    undefined,
    { kind: 'rejected', code: 'invalid_request_error' },
  ],
  [
    'a customer of ours that is not there',
    400,
    { type: 'invalid_request_error', code: 'resource_missing', param: 'customer' },
    undefined,
    { kind: 'rejected', code: 'resource_missing' },
  ],
  [
    'a card that is not there',
    400,
    { type: 'invalid_request_error', code: 'resource_missing', param: 'payment_method' },
    undefined,
    { kind: 'declined', code: 'resource_missing', intent: null },
  ],
  [
    'a card that cannot be used again',
    400,
    { type: 'invalid_request_error', param: 'payment_method' },
    undefined,
    { kind: 'declined', code: 'payment_method_unusable', intent: null },
  ],
  [
    'a card that is in no state to pay',
    400,
    { type: 'invalid_request_error', code: 'payment_method_unexpected_state' },
    undefined,
    { kind: 'declined', code: 'payment_method_unexpected_state', intent: null },
  ],
  [
    'a card that was removed, of which only words tell',
    400,
    {
      type: 'invalid_request_error',
      message: 'The provided PaymentMethod was detached from a Customer. It may not be used again.',
    },
    undefined,
    { kind: 'declined', code: 'payment_method_unusable', intent: null },
  ],
  [
    'a customer who failed at their bank',
    400,
    { type: 'invalid_request_error', code: 'payment_intent_authentication_failure' },
    undefined,
    { kind: 'declined', code: 'payment_intent_authentication_failure', intent: null },
  ],
  ['a key used for something else', 400, { type: 'idempotency_error' }, undefined, { kind: 'key_used' }],
  [
    'a key still in use',
    409,
    { type: 'idempotency_error', code: 'idempotency_key_in_use' },
    undefined,
    { kind: 'in_use' },
  ],
  [
    'too many requests',
    429,
    { type: 'invalid_request_error', code: 'rate_limit' },
    { 'retry-after': '9' },
    {
      kind: 'not_executed',
      problem: expect.objectContaining({ code: 'rate_limited', more: { retryAfterSeconds: 9 } }),
    },
  ],
  [
    'too many requests, no word how long',
    429,
    { type: 'invalid_request_error' },
    undefined,
    {
      kind: 'not_executed',
      problem: expect.objectContaining({ code: 'rate_limited', more: { retryAfterSeconds: 1 } }),
    },
  ],
  [
    'a key of the platform that is wrong',
    401,
    { type: 'invalid_request_error' },
    undefined,
    { kind: 'not_executed', problem: expect.objectContaining({ code: 'upstream_unavailable' }) },
  ],
  [
    'a right that is missing',
    403,
    { type: 'invalid_request_error', code: 'more_permissions_required' },
    undefined,
    { kind: 'not_executed', problem: expect.objectContaining({ code: 'upstream_unavailable' }) },
  ],
  [
    'a connected account that is gone',
    403,
    { type: 'invalid_request_error', code: 'account_invalid' },
    undefined,
    { kind: 'refused', code: 'account_invalid' },
  ],
  ['a 500', 500, { type: 'api_error' }, undefined, { kind: 'doubtful', final: true, replayed: false }],
  ['a 502 from a proxy', 502, { type: 'api_error' }, undefined, { kind: 'doubtful', final: false, replayed: false }],
  [
    'a 503 that was stored',
    503,
    { type: 'api_error' },
    { 'idempotent-replayed': 'true' },
    { kind: 'doubtful', final: true, replayed: true },
  ],
])('%s is understood', async (_, status, error, headers, expected) => {
  expect(await failing(status, error, headers)).toEqual(expected);
});

test('an invalid request is counted and logged as an error, by codes alone; what Stripe may refuse is neither', async () => {
  const message = 'Invalid email address: ada@example.org';
  const error = { type: 'invalid_request_error', code: 'parameter_invalid_empty', param: 'currency', message };
  const counted = async () =>
    /stripe_requests_rejected_total\{operation="createIntent",code="parameter_invalid_empty"\} (\d+)/.exec(
      await metrics.metrics(),
    )?.[1];
  expect(await failing(400, error, { 'request-id': 'req_1' })).toMatchObject({ kind: 'rejected' });
  expect(await counted()).toBe('1');
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    {
      level: 50,
      operation: 'createIntent',
      code: 'parameter_invalid_empty',
      param: 'currency',
      stripeRequestId: 'req_1',
    },
  ]);
  expect(lines.join()).not.toContain('ada@');

  await failing(402, { type: 'card_error', code: 'card_declined' });
  answer = { status: 400, body: { error: { type: 'invalid_request_error', code: 'charge_already_refunded' } } };
  const half = { intentId: 'pi_1', amount: params.amount, paymentId: 'p1', refundId: null };
  expect(await door().createRefund('k', half)).toEqual({ kind: 'refused', code: 'charge_already_refunded' });
  answer = { status: 400, body: { error: { type: 'invalid_request_error', code: 'payment_intent_unexpected_state' } } };
  expect(await door().captureIntent('k', 'pi_1')).toEqual({ kind: 'refused', code: 'payment_intent_unexpected_state' });
  expect(lines).toHaveLength(1);
});

test.each([
  ['KWD', 4_510, '4510'],
  ['JPY', 4_500, '4500'],
  ['ISK', 4_500, '450000'],
  ['UGX', 4_500, '450000'],
  ['MGA', 4_500_100, '45001'],
])('%s %i is %s as Stripe counts it, for charges and refunds', async (currency, amount, sent) => {
  answer = { status: 500, body: { error: { type: 'api_error' } } };
  await door().createIntent('k', { ...params, amount: { amount, currency } });
  await door().createRefund('k', { intentId: 'pi_1', amount: { amount, currency }, paymentId: 'p1', refundId: null });
  expect(asked.map(({ body }) => new URLSearchParams(body).get('amount'))).toEqual([sent, sent]);
});

test('an answer that cannot be read is doubtful', async () => {
  answer = { status: 200, body: '<html>' };
  expect(await door().createIntent('key/1', params)).toEqual({ kind: 'doubtful', final: false, replayed: false });
});

test('nobody there is doubtful', async () => {
  expect(await door({ STRIPE_API_BASE: 'http://127.0.0.1:1' }).createIntent('key/1', params)).toEqual({
    kind: 'doubtful',
    final: false,
    replayed: false,
  });
});

test('a question: what is missing is null, what is unclear is asked again, what is refused is a fault of ours', async () => {
  answer = { status: 404, body: { error: { type: 'invalid_request_error', code: 'resource_missing' } } };
  expect(await door().retrieveIntent('pi_1')).toBeNull();
  answer = { status: 500, body: { error: { type: 'api_error' } } };
  await expect(door().retrieveIntent('pi_1')).rejects.toMatchObject({ code: 'upstream_unavailable' });
  answer = { status: 429, body: { error: { type: 'invalid_request_error' } } };
  await expect(door().retrieveIntent('pi_1')).rejects.toMatchObject({ code: 'rate_limited' });
  answer = { status: 400, body: { error: { type: 'invalid_request_error', code: 'parameter_unknown' } } };
  await expect(door().retrieveIntent('pi_1')).rejects.toThrow('parameter_unknown');
});

test('of a card, too: what is not there is no declined card', async () => {
  const missing = { type: 'invalid_request_error', code: 'resource_missing', param: 'payment_method' };
  answer = { status: 404, body: { error: missing } };
  expect(await door().ownerOfCard('pm_1')).toBeNull();
  expect(await door().detachCard('pm_1')).toBeNull();
});

test('only cards are set up, on our page, for payments at which their holder is there', async () => {
  answer = { status: 200, body: { id: 'seti_1', client_secret: 'seti_1_secret_2' } };
  expect(await door().createSetup('key/1', 'cus_1')).toEqual({ kind: 'ok', value: 'seti_1_secret_2' });
  expect(asked.map(({ headers }) => headers['idempotency-key'])).toEqual(['key/1']);
  expect(Object.fromEntries(new URLSearchParams(asked[0]?.body))).toEqual({
    customer: 'cus_1',
    usage: 'on_session',
    'allowed_payment_method_types[0]': 'card',
    'automatic_payment_methods[enabled]': 'true',
    'automatic_payment_methods[allow_redirects]': 'never',
  });
});

test('a defect of ours is not taken for an answer of Stripe’s', async () => {
  answer = { status: 200, body: { id: 're_1', object: 'list' } };
  await expect(door().createIntent('key/1', params)).rejects.toThrow(TypeError);
});

test('without a webhook secret no event is believed', () => {
  expect(() => door().readEvent(Buffer.from('{}'), 't=1,v1=abc')).toThrow('invalid_signature');
  expect(() => door().readEvent(Buffer.from('{}'), ['t=1', 'v1=abc'])).toThrow('invalid_signature');
});

/** Every request of the door; one that is added to it has to be added here, or this file does not compile. */
const requests: Record<Exclude<keyof StripeDoor, 'readEvent'>, (door: StripeDoor) => Promise<unknown>> = {
  createIntent: (door) => door.createIntent('k', params),
  claimIntentKey: (door) => door.claimIntentKey('k', params),
  captureIntent: (door) => door.captureIntent('k', 'pi_1'),
  cancelIntent: (door) => door.cancelIntent('k', 'pi_1'),
  retrieveIntent: (door) => door.retrieveIntent('pi_1'),
  findIntents: (door) => door.findIntents(params, new Date()),
  createRefund: (door) =>
    door.createRefund('k', { intentId: 'pi_1', amount: params.amount, paymentId: 'p1', refundId: null }),
  listRefunds: (door) => door.listRefunds('pi_1'),
  createAccount: (door) => door.createAccount('k', { ...SOMEBODY, email: 'a@b.example', name: 'A' }),
  claimAccountKey: (door) => door.claimAccountKey('k', SOMEBODY),
  findAccounts: (door) => door.findAccounts(SOMEBODY, new Date()),
  readAccount: (door) => door.readAccount('acct_1'),
  createOnboardingLink: (door) =>
    door.createOnboardingLink('acct_1', { returnUrl: 'https://a.example', refreshUrl: 'https://b.example' }),
  createSetup: (door) => door.createSetup('k', 'cus_1'),
  listCards: (door) => door.listCards('cus_1'),
  ownerOfCard: (door) => door.ownerOfCard('pm_1'),
  detachCard: (door) => door.detachCard('pm_1'),
  deleteAccount: (door) => door.deleteAccount('cus_1'),
  payOutByHand: (door) => door.payOutByHand('acct_1'),
  createTransfer: (door) => door.createTransfer('k', PAYOUT),
  listTransfers: (door) => door.listTransfers('p1'),
  reverseTransfer: (door) => door.reverseTransfer('k', 'tr_1'),
  listReversals: (door) => door.listReversals('tr_1'),
  createPayout: (door) => door.createPayout('k', PAYOUT),
  findPayouts: (door) => door.findPayouts(PAYOUT, new Date()),
  readPayout: (door) => door.readPayout('acct_1', 'po_1'),
  listBankAccounts: (door) => door.listBankAccounts('acct_1'),
  readAvailable: (door) => door.readAvailable('EUR'),
  readDispute: (door) => door.readDispute('du_1'),
  listDisputesOf: (door) => door.listDisputesOf('pi_1'),
  listDisputes: (door) => door.listDisputes(new Date(), null),
  submitEvidence: (door) => door.submitEvidence('k', 'du_1', { uncategorized_text: 'It took place' }),
  closeDispute: (door) => door.closeDispute('k', 'du_1'),
};
const SOMEBODY = { userId: 'u1', role: 'student' } as const;
const PAYOUT = { payoutId: 'p1', account: 'acct_1', amount: { amount: 4_500, currency: 'EUR' } };

test.each(Object.entries(requests))('%s sends nothing for who does not say that it reaches Stripe', async (_, send) => {
  await expect(send(doorOf())).rejects.toThrow('Work outside of any operation reaches stripe');
  expect(asked).toEqual([]);
});

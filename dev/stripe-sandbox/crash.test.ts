/** The real process, killed at moments it cannot choose. Needs the build (`dist/`), as `npm test` makes it first. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import path from 'node:path';
import type Stripe from 'stripe';
import {
  CARD_PAYMENT,
  CONNECT_WEBHOOK_SECRET,
  control,
  type Receiver,
  refusal,
  sdkFor,
  startReceiver,
  temporaryDirectory,
  until,
  WEBHOOK_SECRET,
} from './test-support';

// Generous, so that a busy machine fails no test that only waits.
jest.setTimeout(90_000);

const MAIN = process.env.STRIPE_SANDBOX_MAIN ?? path.resolve(__dirname, '../../dist/dev/stripe-sandbox/main.js');

interface Running {
  url: string;
  stripe: Stripe;
  output: () => string;
  /** Resolves with the exit code, null if the signal ended it. */
  end: (signal: NodeJS.Signals) => Promise<number | null>;
}

let data: ReturnType<typeof temporaryDirectory>;
const children: ChildProcess[] = [];
const receivers: Receiver[] = [];

beforeAll(() => {
  if (!existsSync(MAIN)) throw new Error(`${MAIN} is missing: build first`);
});
beforeEach(() => {
  data = temporaryDirectory();
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  for (const receiver of receivers.splice(0)) await receiver.stop();
  data.remove();
});

async function listen(port = 0): Promise<Receiver> {
  const receiver = await startReceiver(port);
  receivers.push(receiver);
  return receiver;
}

async function start(environment: Record<string, string> = {}): Promise<Running> {
  const child = spawn(process.execPath, [MAIN], {
    env: { ...process.env, STRIPE_SANDBOX_PORT: '0', DATA_DIR: data.directory, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  await until('the sandbox is ready', () => output.includes('ready on') || child.exitCode !== null);
  const [, url = ''] = output.match(/ready on (http:\/\/127\.0\.0\.1:\d+)/) ?? [];
  return {
    url,
    stripe: sdkFor(Number(new URL(url).port)),
    output: () => output,
    end: async (signal) => {
      child.kill(signal);
      const [code]: (number | null)[] = await once(child, 'exit');
      return code ?? null;
    },
  };
}

it('kill -9 among charges loses no reply that was given and charges nobody twice', async () => {
  const receiver = await listen();
  const webhook = { STRIPE_WEBHOOK_URL: receiver.url, STRIPE_WEBHOOK_SECRET: WEBHOOK_SECRET };
  let sandbox = await start(webhook);
  const given = new Map<string, string>();
  const charge = (n: number) =>
    sandbox.stripe.paymentIntents.create({ ...CARD_PAYMENT, metadata: { n } }, { idempotencyKey: `charge-${n}` });
  for (let round = 0; round < 3; round += 1) {
    const storm = Array.from({ length: 40 }, async (_, n) => {
      const key = round * 40 + n;
      const intent = await charge(key).catch(() => undefined);
      if (intent !== undefined) given.set(`charge-${key}`, intent.id);
    });
    await until('some are charged', () => given.size > round * 40 + 5 + round * 10 || given.size >= (round + 1) * 40);
    await sandbox.end('SIGKILL');
    await Promise.all(storm);
    sandbox = await start(webhook);
    for (let n = round * 40; n < (round + 1) * 40; n += 1) {
      const intent = await charge(n);
      expect(intent.status).toBe('succeeded');
      expect(given.get(`charge-${n}`) ?? intent.id).toBe(intent.id);
      given.set(`charge-${n}`, intent.id);
    }
  }
  const { body: state } = await control(sandbox.url, 'GET', '/sandbox/state');
  expect(state.payment_intents).toHaveLength(120);
  expect(state.charges).toHaveLength(120);
  expect(state.balance_transactions).toHaveLength(120);
  expect(new Set(given.values()).size).toBe(120);
  expect(state.totals.eur).toMatchObject({ captured: 120 * 4500, fees: 120 * 88, balance: 120 * 4412 });
  expect(state.balance.available).toMatchObject([{ amount: 120 * 4412, currency: 'eur' }]);
  const told: string[] = [];
  for await (const event of sandbox.stripe.events.list({ type: 'payment_intent.succeeded', limit: 100 })) {
    told.push(event.id);
  }
  expect(told).toHaveLength(120);
  await until('the endpoint knows of every one', () => {
    const heard = new Set(receiver.deliveries.map(({ event }) => event.id));
    return told.every((id) => heard.has(id));
  });
});

it('webhooks not delivered before a kill -9 are delivered after it, all of them', async () => {
  const down = await startReceiver();
  const port = Number(new URL(down.url).port);
  await down.stop();
  const webhook = { STRIPE_WEBHOOK_URL: down.url, STRIPE_WEBHOOK_SECRET: WEBHOOK_SECRET };
  const sandbox = await start(webhook);
  for (let n = 0; n < 5; n += 1) await sandbox.stripe.paymentIntents.create(CARD_PAYMENT);
  await sandbox.end('SIGKILL');
  const up = await listen(port);
  await start(webhook);
  await until('all are delivered', () => new Set(up.deliveries.map(({ event }) => event.id)).size === 15, 25_000);
});

it('a refund that is going to fail does so after a restart, and the endpoint set at runtime hears of it', async () => {
  const receiver = await listen();
  const first = await start();
  const endpoint = { url: receiver.url, secret: WEBHOOK_SECRET, enabledEvents: ['refund.failed'] };
  await control(first.url, 'POST', '/sandbox/webhook_endpoint', endpoint);
  await control(first.url, 'POST', '/sandbox/settings', { refundDelayMs: 1500 });
  const { id } = await first.stripe.paymentIntents.create({ ...CARD_PAYMENT, payment_method: 'pm_card_refundFail' });
  const refund = await first.stripe.refunds.create({ payment_intent: id });
  await first.end('SIGKILL');
  const second = await start();
  await until('the failure is told', () => receiver.types().includes('refund.failed'));
  expect((await second.stripe.refunds.retrieve(refund.id)).status).toBe('failed');
});

it('a payout that is paid and returned later goes its way through every kill -9, and its money is there once', async () => {
  const receiver = await listen();
  const webhook = {
    STRIPE_WEBHOOK_URL: receiver.url,
    STRIPE_WEBHOOK_SECRET: WEBHOOK_SECRET,
    STRIPE_CONNECT_WEBHOOK_SECRET: CONNECT_WEBHOOK_SECRET,
  };
  let sandbox = await start(webhook);
  const delays = { payoutPendingMs: 1000, payoutTransitMs: 1000, payoutReturnMs: 1000, onboarding: 'required' };
  await control(sandbox.url, 'POST', '/sandbox/settings', delays);
  const { id: tutor } = await sandbox.stripe.accounts.create({ type: 'express', country: 'DE' });
  const banks = [{ currency: 'eur', country: 'DE', account_number: 'DE89370400440532013099' }];
  await control(sandbox.url, 'POST', `/sandbox/accounts/${tutor}/onboarding`, { banks });
  await sandbox.stripe.paymentIntents.create(CARD_PAYMENT);
  await sandbox.stripe.transfers.create({ amount: 3000, currency: 'eur', destination: tutor });
  const asTutor = { stripeAccount: tutor };
  const key = { ...asTutor, idempotencyKey: 'payout:p1/payout/1' };
  const { id } = await sandbox.stripe.payouts.create({ amount: 3000, currency: 'eur' }, key);
  // On a busy machine it may be further already when it is asked for again.
  const way = ['pending', 'in_transit', 'paid', 'failed'];
  for (const state of way.slice(1)) {
    await sandbox.end('SIGKILL');
    sandbox = await start(webhook);
    const status = async () => (await sandbox.stripe.payouts.retrieve(id, {}, asTutor)).status;
    await until(`the payout is ${state}`, async () => way.indexOf(await status()) >= way.indexOf(state));
  }
  expect((await sandbox.stripe.payouts.create({ amount: 3000, currency: 'eur' }, key)).id).toBe(id);
  const { body: state } = await control(sandbox.url, 'GET', '/sandbox/state');
  expect(state.connected_totals[tutor].eur).toEqual({ received: 3000, paidOut: 0, balance: 3000 });
  await until('all is told, signed for Connect', () =>
    ['payout.created', 'payout.paid', 'payout.failed', 'account.updated'].every((type) =>
      receiver.deliveries.some(
        ({ event, signed }) => event.type === type && event.account === tutor && signed === 'well',
      ),
    ),
  );
});

it('a dispute goes its way through every kill -9, and its money moves once', async () => {
  const receiver = await listen();
  const webhook = { STRIPE_WEBHOOK_URL: receiver.url, STRIPE_WEBHOOK_SECRET: WEBHOOK_SECRET };
  let sandbox = await start(webhook);
  await control(sandbox.url, 'POST', '/sandbox/settings', { disputeDelayMs: 1000, disputeDecisionMs: 1000 });
  await sandbox.stripe.paymentIntents.create({ ...CARD_PAYMENT, payment_method: 'pm_card_createDispute' });
  const restart = async () => {
    await sandbox.end('SIGKILL');
    sandbox = await start(webhook);
  };
  await restart();
  const disputes = async () => (await sandbox.stripe.disputes.list()).data;
  await until('the charge is disputed', async () => (await disputes()).length === 1);
  const [{ id = '' } = {}] = await disputes();
  const key = { idempotencyKey: `dispute:${id}/evidence` };
  const answer = () =>
    sandbox.stripe.disputes.update(id, { evidence: { uncategorized_text: 'winning_evidence' } }, key);
  expect((await answer()).status).toBe('under_review');
  await restart();
  await until('it is won', async () => (await sandbox.stripe.disputes.retrieve(id)).status === 'won');
  await restart();
  expect((await answer()).evidence_details.submission_count).toBe(1);
  const { body: state } = await control(sandbox.url, 'GET', '/sandbox/state');
  expect(state.disputes).toMatchObject([{ id, balance_transactions: [{ amount: -4500 }, { amount: 4500 }] }]);
  expect(state.totals.eur).toMatchObject({ disputed: 4500, reinstated: 4500, disputeFees: 2000, balance: 2412 });
  const types = ['created', 'funds_withdrawn', 'updated', 'funds_reinstated', 'closed'];
  await until('all is told', () => types.every((type) => receiver.types().includes(`charge.dispute.${type}`)));
});

it('a card is kept through a kill -9, and off session it goes without authentication then as before', async () => {
  const first = await start();
  const { id: customer } = await first.stripe.customers.create();
  const params = {
    customer,
    payment_method: 'pm_card_authenticationRequiredOnSetup',
    automatic_payment_methods: CARD_PAYMENT.automatic_payment_methods,
    confirm: true,
  };
  const key = { idempotencyKey: 'setup-1' };
  const { id } = await first.stripe.setupIntents.create(params, key);
  await first.end('SIGKILL');
  const second = await start();
  expect((await second.stripe.setupIntents.create(params, key)).id).toBe(id);
  await control(second.url, 'POST', `/sandbox/3ds/${id}/complete`);
  await second.end('SIGKILL');
  const { stripe } = await start();
  const [card] = (await stripe.customers.listPaymentMethods(customer)).data;
  const payment = { ...CARD_PAYMENT, customer, payment_method: card?.id ?? '', off_session: true };
  expect((await stripe.paymentIntents.create(payment)).status).toBe('succeeded');
});

it('SIGTERM ends it cleanly, even while a request hangs', async () => {
  const sandbox = await start();
  await control(sandbox.url, 'POST', '/sandbox/faults', { kind: 'hang', ms: 60_000 });
  const hanging = refusal(sandbox.stripe.customers.create());
  await until(
    'it hangs',
    async () => (await control(sandbox.url, 'GET', '/sandbox/requests')).body.requests.length === 1,
  );
  expect(await sandbox.end('SIGTERM')).toBe(0);
  expect((await hanging).type).toBe('StripeConnectionError');
  expect(sandbox.output().trim().split('\n')).toHaveLength(1);
});

it('settings that make no sense are refused in words', async () => {
  const refused = async (environment: Record<string, string>) => {
    const child = spawn(process.execPath, [MAIN], {
      env: { ...process.env, DATA_DIR: data.directory, ...environment },
    });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    const [code]: (number | null)[] = await once(child, 'exit');
    return { code, said };
  };
  expect(await refused({ STRIPE_SANDBOX_PORT: 'x' })).toMatchObject({
    code: 1,
    said: expect.stringContaining('STRIPE_SANDBOX_PORT'),
  });
  const noSecret = await refused({ STRIPE_SANDBOX_PORT: '0', STRIPE_WEBHOOK_URL: 'http://127.0.0.1:1/x' });
  expect(noSecret).toMatchObject({ code: 1, said: expect.stringContaining('webhook secret') });
  const { url } = await start();
  const taken = await refused({ STRIPE_SANDBOX_PORT: new URL(url).port });
  expect(taken).toMatchObject({ code: 1, said: expect.stringContaining('EADDRINUSE') });
});

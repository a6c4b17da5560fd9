import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Stripe from 'stripe';
import { request } from 'undici';
import { startStripeSandbox } from '../dev/stripe-sandbox/server';
import { type Description, faultsOfAnswer } from './answer-schemas';

/**
 * Holds what the Stripe sandbox takes and says of connected accounts, transfers, payouts, disputes and saved cards against Stripe's own
 * description. The same requests, with every parameter that the sandbox takes, go to the sandbox and to stripe-mock, which refuses what
 * the description does not have; and what the sandbox answers has to be as the description says (`answer-schemas.ts`).
 */

interface Seeds {
  account: string;
  bank: string;
  transfer: string;
  reversal: string;
  payout: string;
  movement: string;
  dispute: string;
  disputedCharge: string;
  customer: string;
  setup: string;
  secret: string;
  saved: string;
}

const metadata = { payout: '01900000-0000-7000-8000-000000000004' };
/** The details in place of a token are in Stripe's reference and its SDK, and not in the description: they are given in the seeds alone. */
const bank = {
  object: 'bank_account' as const,
  account_holder_name: 'Ada Lovelace',
  account_holder_type: 'individual',
  account_number: 'DE89370400440532013000',
  country: 'DE',
  currency: 'eur',
  routing_number: '37040044',
};
const schedule = { delay_days: 7, interval: 'weekly', weekly_anchor: 'monday' };
const payouts = { debit_negative_balances: false, schedule, statement_descriptor: 'TUTORING' };
const card = {
  amount: 4_500,
  currency: 'eur',
  automatic_payment_methods: { enabled: true, allow_redirects: 'never' },
} as const;
const billing = {
  address: { city: 'Kyiv', country: 'UA', line1: 'Street 1', line2: 'x', postal_code: '1', state: 'Kyiv' },
  email: 'ada@example.com',
  name: 'Ada',
  phone: '+380000000000',
};
/** All the texts that the sandbox takes. */
const evidence = {
  access_activity_log: 'joined at 10:00',
  billing_address: 'Kyiv',
  cancellation_policy_disclosure: 'shown before paying',
  cancellation_rebuttal: 'not cancelled',
  customer_email_address: 'ada@example.com',
  customer_name: 'Ada Lovelace',
  customer_purchase_ip: '192.0.2.1',
  duplicate_charge_explanation: 'two sessions',
  duplicate_charge_id: 'ch_123',
  product_description: 'Lessons',
  refund_policy_disclosure: 'shown before paying',
  refund_refusal_explanation: 'too late',
  service_date: '2026-11-02',
  shipping_address: 'none',
  shipping_carrier: 'none',
  shipping_date: 'none',
  shipping_tracking_number: 'none',
  uncategorized_text: 'They were there.',
};
const period = { gte: 1_700_000_000, lt: 4_000_000_000 };
const transfer = { amount: 100, currency: 'eur', description: 'Sessions of one week', metadata };

/** `byBrowser` has a page ask, with the key that everybody may know. stripe-mock takes secret keys alone. */
type Ask = (stripe: Stripe, seeds: Seeds, byBrowser: Stripe.RequestOptions) => Promise<object>;

/** Each request in the fullest form that the sandbox takes. */
const REQUESTS: Record<string, Ask> = {
  'accounts.create': (stripe) =>
    stripe.accounts.create({
      country: 'DE',
      controller: {
        fees: { payer: 'application' },
        losses: { payments: 'application' },
        requirement_collection: 'stripe',
        stripe_dashboard: { type: 'express' },
      },
      capabilities: { card_payments: { requested: true }, transfers: { requested: true } },
      default_currency: 'eur',
      email: 'ada@example.com',
      external_account: 'btok_us_verified',
      business_type: 'individual',
      business_profile: { mcc: '8299', name: 'Ada', product_description: 'Lessons', url: 'https://example.com' },
      settings: { payouts },
      metadata,
    }),
  'accounts.retrieve': (stripe, { account }) => stripe.accounts.retrieve(account),
  'accounts.update': (stripe, { account }) =>
    stripe.accounts.update(account, {
      external_account: 'btok_us_verified',
      settings: { payouts: { schedule: { delay_days: 'minimum', interval: 'monthly', monthly_anchor: 1 } } },
    }),
  'accountLinks.create': (stripe, { account }) =>
    stripe.accountLinks.create({
      account,
      type: 'account_onboarding',
      return_url: 'https://example.com/wallet',
      refresh_url: 'https://example.com/wallet/again',
      collection_options: { fields: 'eventually_due', future_requirements: 'include' },
    }),
  'accounts.createExternalAccount': (stripe, { account }) =>
    stripe.accounts.createExternalAccount(account, {
      external_account: 'btok_us_verified_noAccount',
      default_for_currency: false,
      metadata,
    }),
  'accounts.retrieveExternalAccount': (stripe, seeds) =>
    stripe.accounts.retrieveExternalAccount(seeds.account, seeds.bank),
  'accounts.updateExternalAccount': (stripe, seeds) =>
    stripe.accounts.updateExternalAccount(seeds.account, seeds.bank, {
      account_holder_name: 'Grace Hopper',
      account_holder_type: 'individual',
      default_for_currency: true,
      metadata,
    }),
  'accounts.listExternalAccounts': (stripe, { account }) =>
    stripe.accounts.listExternalAccounts(account, { object: 'bank_account', limit: 3 }),
  'transfers.create': (stripe, { account: destination }) =>
    stripe.transfers.create({ ...transfer, destination, source_type: 'card', transfer_group: 'week' }),
  'transfers.retrieve': (stripe, seeds) => stripe.transfers.retrieve(seeds.transfer),
  'transfers.list': (stripe, { account: destination }) => stripe.transfers.list({ destination, created: period }),
  'transfers.createReversal': (stripe, seeds) =>
    stripe.transfers.createReversal(seeds.transfer, { amount: 1, description: 'Undone', metadata }),
  'transfers.retrieveReversal': (stripe, seeds) => stripe.transfers.retrieveReversal(seeds.transfer, seeds.reversal),
  'transfers.listReversals': (stripe, seeds) => stripe.transfers.listReversals(seeds.transfer, { limit: 3 }),
  'payouts.create': (stripe, { account: stripeAccount, bank: destination }) =>
    stripe.payouts.create(
      { ...transfer, destination, method: 'standard', source_type: 'card', statement_descriptor: 'TUTORING' },
      { stripeAccount },
    ),
  'payouts.retrieve': (stripe, { account: stripeAccount, payout }) =>
    stripe.payouts.retrieve(payout, { expand: ['destination', 'balance_transaction'] }, { stripeAccount }),
  'payouts.update': (stripe, { account: stripeAccount, payout }) =>
    stripe.payouts.update(payout, { metadata }, { stripeAccount }),
  'payouts.list': (stripe, { account: stripeAccount, bank: destination }) =>
    stripe.payouts.list(
      { arrival_date: period, created: period, destination, status: 'pending', limit: 3 },
      { stripeAccount },
    ),
  'payouts.cancel': (stripe, { account: stripeAccount, payout }) =>
    stripe.payouts.cancel(payout, {}, { stripeAccount }),
  'disputes.retrieve': (stripe, { dispute }) => stripe.disputes.retrieve(dispute),
  'disputes.update': (stripe, { dispute }) => stripe.disputes.update(dispute, { evidence, metadata, submit: false }),
  'disputes.list': (stripe, { disputedCharge: charge }) => stripe.disputes.list({ charge, created: period, limit: 3 }),
  'disputes.close': (stripe, { dispute }) => stripe.disputes.close(dispute),
  'setupIntents.create': (stripe, { customer }) =>
    stripe.setupIntents.create({
      allowed_payment_method_types: ['card'],
      automatic_payment_methods: { enabled: true, allow_redirects: 'always' },
      confirm: true,
      customer,
      description: 'For later sessions',
      metadata,
      payment_method: 'pm_card_threeDSecure2Required',
      return_url: 'https://example.com/cards',
      usage: 'off_session',
      use_stripe_sdk: true,
    }),
  'setupIntents.retrieve': (stripe, { setup }) => stripe.setupIntents.retrieve(setup, { expand: ['payment_method'] }),
  'setupIntents.update': (stripe, { setup, customer }) =>
    stripe.setupIntents.update(setup, {
      allowed_payment_method_types: ['card'],
      customer,
      description: 'For later',
      metadata,
      payment_method: 'pm_card_visa',
    }),
  'setupIntents.confirm': (stripe, { setup }) =>
    stripe.setupIntents.confirm(setup, {
      allowed_payment_method_types: ['card'],
      payment_method: 'pm_card_threeDSecure2Required',
      return_url: 'https://example.com/cards',
      use_stripe_sdk: false,
    }),
  'setupIntents.cancel': (stripe, { setup }) => stripe.setupIntents.cancel(setup, { cancellation_reason: 'abandoned' }),
  'setupIntents.list': (stripe, { customer }) => stripe.setupIntents.list({ created: period, customer, limit: 3 }),
  'setupIntents.retrieve by a browser': (stripe, { setup, secret: client_secret }, byBrowser) =>
    stripe.setupIntents.retrieve(setup, { client_secret }, byBrowser),
  'paymentMethods.create': (stripe) =>
    stripe.paymentMethods.create({ type: 'card', card: { token: 'tok_visa' }, billing_details: billing, metadata }),
  'paymentMethods.create by a browser': (stripe, _, byBrowser) =>
    stripe.paymentMethods.create(
      {
        type: 'card',
        card: { number: '4242424242424242', exp_month: 12, exp_year: new Date().getUTCFullYear() + 1, cvc: '123' },
        billing_details: billing,
      },
      byBrowser,
    ),
  'customers.listPaymentMethods': (stripe, { customer }) =>
    stripe.customers.listPaymentMethods(customer, { type: 'card', limit: 3 }),
  'paymentMethods.list': (stripe, { customer }) => stripe.paymentMethods.list({ customer, type: 'card', limit: 3 }),
  'paymentMethods.detach': (stripe, { saved }) => stripe.paymentMethods.detach(saved),
  'balance.retrieve': (stripe, { account: stripeAccount }) => stripe.balance.retrieve({}, { stripeAccount }),
  'balanceTransactions.retrieve': (stripe, { account: stripeAccount, movement }) =>
    stripe.balanceTransactions.retrieve(movement, {}, { stripeAccount }),
  'balanceTransactions.list': (stripe, { account: stripeAccount, payout }) =>
    stripe.balanceTransactions.list({ currency: 'eur', source: payout, created: period }, { stripeAccount }),
};

/** What the requests ask about. The payout stays pending for as long as the check takes. */
async function seed(stripe: Stripe, url: string): Promise<Seeds> {
  const settings = { payoutPendingMs: 3_600_000 };
  const { body } = await request(`${url}/sandbox/settings`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(settings),
  });
  await body.dump();
  const { id: account } = await stripe.accounts.create({ type: 'express', country: 'DE' });
  const { id: to } = await stripe.accounts.createExternalAccount(account, { external_account: bank });
  await stripe.paymentIntents.create({ ...card, payment_method: 'pm_card_visa', confirm: true });
  const dispute = await disputed(stripe);
  const { id: customer } = await stripe.customers.create();
  const { id: saved } = await stripe.paymentMethods.attach('pm_card_visa', { customer });
  const { id: setup, client_secret: secret } = await stripe.setupIntents.create({ customer });
  const sent = await stripe.transfers.create({ ...transfer, amount: 2_000, destination: account });
  const { id: reversal } = await stripe.transfers.createReversal(sent.id, { amount: 10 });
  const paid = await stripe.payouts.create({ amount: 1_000, currency: 'eur' }, { stripeAccount: account });
  return {
    account,
    bank: to,
    transfer: sent.id,
    reversal,
    payout: paid.id,
    movement: String(paid.balance_transaction),
    dispute: dispute.id,
    disputedCharge: String(dispute.charge),
    customer,
    setup,
    secret: secret ?? '',
    saved,
  };
}

/** Pays with a card whose holder disputes it, and waits for that. */
async function disputed(stripe: Stripe): Promise<Stripe.Dispute> {
  const { id } = await stripe.paymentIntents.create({
    ...card,
    payment_method: 'pm_card_createDispute',
    confirm: true,
  });
  for (let tries = 0; tries < 100; tries += 1) {
    const [dispute] = (await stripe.disputes.list({ payment_intent: id })).data;
    if (dispute !== undefined) return dispute;
    await sleep(50);
  }
  throw new Error('the sandbox opens no dispute');
}

/** Sends all requests to both. `mockUrl` is where stripe-mock listens. @returns how many, and in what the sandbox is wrong */
export async function faultsOfSandbox(
  mockUrl: string,
  description: Description,
): Promise<{ asked: number; faults: string[] }> {
  const dataDir = await mkdtemp(join(tmpdir(), 'stripe-shapes-'));
  const sandbox = await startStripeSandbox({ port: 0, dataDir });
  try {
    const [ours, theirs] = [sdkAt(sandbox.url), sdkAt(mockUrl)];
    const seeds = await seed(ours, sandbox.url);
    const faults: string[] = [];
    for (const [name, ask] of Object.entries(REQUESTS)) {
      const [given, described] = [
        await answerOf(ask(ours, seeds, { apiKey: 'pk_test_123' })),
        await answerOf(ask(theirs, seeds, {})),
      ];
      if (described instanceof Error) faults.push(`${name}: Stripe would refuse: ${described.message}`);
      if (given instanceof Error) faults.push(`${name}: the sandbox refuses: ${given.message}`);
      else faults.push(...faultsOfAnswer(description, name, given));
    }
    return { asked: Object.keys(REQUESTS).length, faults };
  } finally {
    await sandbox.close();
    await rm(dataDir, { recursive: true, force: true });
  }
}

function sdkAt(address: string): Stripe {
  const { hostname, port } = new URL(address);
  return new Stripe('sk_test_123', { host: hostname, port, protocol: 'http', maxNetworkRetries: 0, telemetry: false });
}

/** As plain JSON, as it came. */
async function answerOf(asked: Promise<object>): Promise<unknown> {
  try {
    const value: unknown = JSON.parse(JSON.stringify(await asked));
    return value;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

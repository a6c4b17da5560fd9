import type Stripe from 'stripe';
import { type Bench, control, refusal, sdkFor, startBench } from '../test-support';

// Generous, so that a busy machine fails no test that only waits.
jest.setTimeout(30_000);

const RETURN = 'http://127.0.0.1:1/wallet?onboarded=1';
const REFRESH = 'http://127.0.0.1:1/wallet?again=1';
const ADA = { first_name: 'Ada', last_name: 'Lovelace', dob: '1990-12-10' };
const IBAN = { currency: 'EUR', country: 'DE', account_number: 'DE89 3704 0044 0532 0130 00' };

let bench: Bench;
let stripe: Stripe;

beforeAll(async () => {
  bench = await startBench();
  stripe = bench.stripe;
});
afterAll(() => bench.stop());
beforeEach(async () => {
  await control(bench.sandbox.url, 'POST', '/sandbox/reset');
  await control(bench.sandbox.url, 'POST', '/sandbox/settings', { onboarding: 'required' });
});

/** A tutor's account, as the platform makes it. */
async function newTutor(): Promise<string> {
  const { id } = await stripe.accounts.create({
    country: 'DE',
    capabilities: { transfers: { requested: true } },
    controller: { stripe_dashboard: { type: 'express' } },
  });
  return id;
}

async function linkFor(account: string, more: object = {}): Promise<string> {
  const type = 'account_onboarding';
  const made = await stripe.accountLinks.create({ account, type, return_url: RETURN, refresh_url: REFRESH, ...more });
  return made.url;
}

/** What a browser without script would send. */
function submit(url: string, fields: Record<string, string>, banks: Record<string, string>[] = []) {
  const form = new URLSearchParams(fields);
  for (const [n, bank] of banks.entries()) {
    for (const [name, value] of Object.entries(bank)) form.set(`banks[${n}][${name}]`, value);
  }
  return fetch(url, { method: 'POST', body: form, redirect: 'manual' });
}

const wayOf = async (response: Promise<Response>) => {
  const { status, headers } = await response;
  return [status, headers.get('location')];
};

/** What an account may do, and what is due of it. */
async function standing(id: string) {
  const {
    capabilities,
    payouts_enabled: payouts,
    details_submitted: submitted,
    ...rest
  } = await stripe.accounts.retrieve(id);
  return { transfers: capabilities?.transfers, payouts, submitted, due: rest.requirements?.currently_due };
}

it('a new account has everything due, and may neither receive nor be paid', async () => {
  const id = await newTutor();
  expect(await standing(id)).toMatchObject({ transfers: 'inactive', payouts: false, submitted: false });
  const { requirements } = await stripe.accounts.retrieve(id);
  expect(requirements?.currently_due).toEqual(
    expect.arrayContaining(['external_account', 'individual.first_name', 'tos_acceptance.date']),
  );
  expect(requirements?.past_due).toEqual(requirements?.currently_due);
  expect(requirements?.eventually_due).toEqual(requirements?.currently_due);
  expect(requirements?.disabled_reason).toBe('requirements.past_due');
  await stripe.paymentIntents.create({
    amount: 4500,
    currency: 'eur',
    payment_method: 'pm_card_visa',
    automatic_payment_methods: { enabled: true, allow_redirects: 'never' },
    confirm: true,
  });
  const sent = stripe.transfers.create({ amount: 100, currency: 'eur', destination: id });
  expect((await refusal(sent)).code).toBe('insufficient_capabilities_for_transfer');
});

it('its owner answers on the page and is sent back; the account works from then on', async () => {
  const id = await newTutor();
  const url = await linkFor(id);
  const page = await fetch(url);
  expect([page.status, page.headers.get('content-type')]).toEqual([200, expect.stringContaining('text/html')]);
  const html = await page.text();
  for (const name of ['first_name', 'dob', 'banks[0][account_number]', 'banks[2][currency]'])
    expect(html).toContain(`name="${name}"`);
  expect(html).toContain('individual.first_name');
  const pounds = { currency: 'gbp', country: 'GB', account_number: '00012345' };
  const empty = { currency: '', country: 'DE', account_number: '' };
  expect(await wayOf(submit(url, ADA, [IBAN, empty, pounds]))).toEqual([303, RETURN]);
  expect(await standing(id)).toEqual({ transfers: 'active', payouts: true, submitted: true, due: [] });
  const account = await stripe.accounts.retrieve(id);
  expect(account.external_accounts?.data).toMatchObject([
    { currency: 'gbp', last4: '2345', account_holder_name: 'Ada Lovelace' },
    { currency: 'eur', last4: '3000', default_for_currency: true },
  ]);
  expect(account.tos_acceptance?.date).toEqual(expect.any(Number));
  const [event] = (await sdkFor(bench.sandbox.port, { account: id }).events.list()).data;
  expect(event).toMatchObject({
    type: 'account.updated',
    account: id,
    data: { object: { payouts_enabled: true }, previous_attributes: { payouts_enabled: false } },
  });
});

it('who gives no bank account may receive, and is asked for one before anything is paid out', async () => {
  const id = await newTutor();
  await submit(await linkFor(id), ADA);
  const asked = { transfers: 'active', payouts: false, submitted: true, due: ['external_account'] };
  expect(await standing(id)).toEqual(asked);
  await submit(await linkFor(id), ADA, [IBAN]);
  expect(await standing(id)).toMatchObject({ payouts: true, due: [] });
});

it('a link opens once, and leads to a new one after that', async () => {
  const id = await newTutor();
  const url = await linkFor(id);
  expect((await fetch(url)).status).toBe(200);
  expect(await wayOf(fetch(url, { redirect: 'manual' }))).toEqual([303, REFRESH]);
  // The page that was opened is good all the same, and once.
  expect(await wayOf(submit(url, ADA, [IBAN]))).toEqual([303, RETURN]);
  expect(await wayOf(submit(url, ADA, [IBAN]))).toEqual([303, REFRESH]);
  const { external_accounts: banks } = await stripe.accounts.retrieve(id);
  expect(banks?.data).toHaveLength(1);
});

it('of two who open a link or submit its page at once only one gets through', async () => {
  const id = await newTutor();
  const url = await linkFor(id);
  const opened = await Promise.all([1, 2, 3].map(async () => (await fetch(url, { redirect: 'manual' })).status));
  expect(opened.toSorted()).toEqual([200, 303, 303]);
  const ways = await Promise.all([1, 2, 3].map(() => wayOf(submit(url, ADA, [IBAN]))));
  expect(ways.filter(([, to]) => to === RETURN)).toHaveLength(1);
  expect((await stripe.accounts.retrieve(id)).external_accounts?.data).toHaveLength(1);
});

it('a link is too old after five minutes', async () => {
  const id = await newTutor();
  const type = 'account_onboarding';
  const link = await stripe.accountLinks.create({ account: id, type, return_url: RETURN, refresh_url: REFRESH });
  expect(link.expires_at - link.created).toBe(300);
  jest.useFakeTimers({ now: Date.now() + 301_000, doNotFake: ['setTimeout', 'setImmediate', 'nextTick'] });
  try {
    expect(await wayOf(fetch(link.url, { redirect: 'manual' }))).toEqual([303, REFRESH]);
    expect(await wayOf(submit(link.url, ADA, [IBAN]))).toEqual([303, REFRESH]);
  } finally {
    jest.useRealTimers();
  }
  expect((await standing(id)).submitted).toBe(false);
});

it('who puts it off is sent back with nothing changed', async () => {
  const id = await newTutor();
  const url = await linkFor(id);
  expect(await wayOf(submit(url, { later: '1' }))).toEqual([303, RETURN]);
  expect((await standing(id)).submitted).toBe(false);
});

it.each<[string, Record<string, string>, Record<string, string>[], string]>([
  ['no name', { ...ADA, last_name: ' ' }, [IBAN], 'is missing'],
  ['no date of birth', { ...ADA, dob: 'once' }, [IBAN], 'is no date'],
  ['a currency of nowhere', ADA, [{ ...IBAN, currency: 'XYZ' }], 'is no currency'],
  ['a real account number', ADA, [{ ...IBAN, account_number: 'DE75512108001245126199' }], 'test bank account number'],
])('%s shows the form again and changes nothing', async (_, fields, banks, words) => {
  const id = await newTutor();
  const url = await linkFor(id);
  const response = await submit(url, fields, banks);
  expect(response.status).toBe(422);
  expect(await response.text()).toContain(words);
  expect(await standing(id)).toMatchObject({ submitted: false, payouts: false });
  expect((await stripe.accounts.listExternalAccounts(id)).data).toEqual([]);
  expect(await wayOf(submit(url, ADA, [IBAN]))).toEqual([303, RETURN]);
});

it.each([
  ['an account of somebody else', { account: 'acct_nope' }, 403, 'account_invalid'],
  ['an address that is none', { return_url: 'wallet' }, 400, 'url_invalid'],
  ['another kind of link', { type: 'account_update' }, 400, undefined],
  ['an unknown parameter', { locale: 'de' }, 400, 'parameter_unknown'],
])('a link with %s is refused', async (_, wrong, statusCode, code) => {
  expect(await refusal(linkFor(await newTutor(), wrong))).toMatchObject({ statusCode, code });
});

it('a link of another account, or of none, is not found', async () => {
  const url = await linkFor(await newTutor());
  for (const wrong of [url.replace(/acct_\w+/, await newTutor()), `${url}x`])
    expect((await fetch(wrong)).status).toBe(404);
});

describe('by control', () => {
  const onAccount = (id: string, what: string, body: object) =>
    control(bench.sandbox.url, 'POST', `/sandbox/accounts/${id}/${what}`, body);

  it('an account is onboarded without the page', async () => {
    const id = await newTutor();
    const { status, body } = await onAccount(id, 'onboarding', { banks: [{ ...IBAN, currency: 'eur' }] });
    expect([status, body.payouts_enabled]).toEqual([200, true]);
    expect(await standing(id)).toEqual({ transfers: 'active', payouts: true, submitted: true, due: [] });
  });

  it('an account is restricted again, at once or in time, and released', async () => {
    const id = await newTutor();
    await onAccount(id, 'onboarding', { banks: [{ ...IBAN, currency: 'eur' }] });
    const due = ['individual.verification.document'];
    await onAccount(id, 'requirements', { due, overdue: false, deadline: 1_900_000_000 });
    expect(await standing(id)).toMatchObject({ transfers: 'active', payouts: true, due });
    expect((await stripe.accounts.retrieve(id)).requirements?.current_deadline).toBe(1_900_000_000);
    await onAccount(id, 'requirements', { due });
    expect(await standing(id)).toMatchObject({ transfers: 'inactive', payouts: false, due });
    // What is due again is answered as before, and the bank account is still there.
    await submit(await linkFor(id), ADA);
    expect(await standing(id)).toMatchObject({ transfers: 'active', payouts: true, due: [] });
    await onAccount(id, 'requirements', { reason: 'rejected.fraud' });
    expect(await standing(id)).toMatchObject({ transfers: 'inactive', payouts: false, due: [] });
    expect((await stripe.accounts.retrieve(id)).requirements?.disabled_reason).toBe('rejected.fraud');
    await onAccount(id, 'requirements', {});
    expect(await standing(id)).toMatchObject({ transfers: 'active', payouts: true });
    const told = await sdkFor(bench.sandbox.port, { account: id }).events.list({ type: 'account.updated' });
    expect(told.data).toHaveLength(6);
  });

  it('what makes no sense is refused', async () => {
    const id = await newTutor();
    expect((await onAccount(id, 'requirements', { reason: 'bored' })).status).toBe(422);
    expect((await onAccount(id, 'onboarding', { bank: [] })).status).toBe(422);
    expect((await onAccount('acct_nope', 'onboarding', {})).status).toBe(403);
    const bank = { ...IBAN, currency: 'eur', account_number: '1' };
    expect(await onAccount(id, 'onboarding', { banks: [bank] })).toMatchObject({
      status: 400,
      body: { error: { code: 'account_number_invalid' } },
    });
    expect((await standing(id)).submitted).toBe(false);
  });
});

import type Stripe from 'stripe';
import { type Bench, control, refusal, sdkFor, startBench } from '../test-support';

// Generous, so that a busy machine fails no test that only waits.
jest.setTimeout(30_000);

let bench: Bench;
let stripe: Stripe;
let tutor: string;

beforeAll(async () => {
  bench = await startBench();
  stripe = bench.stripe;
});
afterAll(() => bench.stop());
beforeEach(async () => {
  await control(bench.sandbox.url, 'POST', '/sandbox/reset');
  tutor = (await stripe.accounts.create({ type: 'express', country: 'DE' })).id;
});

const iban = (currency: string, account_number = 'DE89370400440532013000') => ({
  external_account: { object: 'bank_account' as const, country: 'DE', currency, account_number },
});

/** Currency and last digits of the bank accounts, with a star at a default one. */
async function banks(): Promise<string[]> {
  const { data } = await stripe.accounts.listExternalAccounts(tutor);
  return data.map(
    (bank) => `${bank.currency} ${bank.last4}${'default_for_currency' in bank && bank.default_for_currency ? '*' : ''}`,
  );
}

it('a bank account is given by its details or a token, and shown with its last four digits alone', async () => {
  const details = { ...iban('EUR').external_account, account_holder_name: 'Ada', account_holder_type: 'individual' };
  const bank = await stripe.accounts.createExternalAccount(tutor, { external_account: details, metadata: { a: 'b' } });
  expect(bank).toMatchObject({
    id: expect.stringMatching(/^ba_/),
    object: 'bank_account',
    account: tutor,
    account_holder_name: 'Ada',
    country: 'DE',
    currency: 'eur',
    default_for_currency: true,
    last4: '3000',
    metadata: { a: 'b' },
    status: 'new',
  });
  expect(JSON.stringify(bank)).not.toContain('37040044');
  const american = await stripe.accounts.createExternalAccount(tutor, { external_account: 'btok_us_verified' });
  expect(american).toMatchObject({ country: 'US', currency: 'usd', last4: '6789', routing_number: '110000000' });
  const account = await stripe.accounts.retrieve(tutor);
  expect(account.external_accounts?.data.map(({ id }) => id)).toEqual([american.id, bank.id]);
  expect(await stripe.accounts.retrieveExternalAccount(tutor, bank.id)).toEqual(bank);
  const prefilled = await stripe.accounts.create({ type: 'custom', external_account: 'btok_us_verified' });
  expect(prefilled.external_accounts?.data).toMatchObject([{ account: prefilled.id, default_for_currency: true }]);
});

it('each currency has one default, the first unless another is to be', async () => {
  const first = await stripe.accounts.createExternalAccount(tutor, iban('eur'));
  await stripe.accounts.createExternalAccount(tutor, iban('eur', 'FR89370400440532013002'));
  await stripe.accounts.createExternalAccount(tutor, iban('gbp'));
  expect(await banks()).toEqual(['gbp 3000*', 'eur 3002', 'eur 3000*']);
  await stripe.accounts.createExternalAccount(tutor, {
    ...iban('eur', 'DE89370400440532013003'),
    default_for_currency: true,
  });
  expect(await banks()).toEqual(['eur 3003*', 'gbp 3000*', 'eur 3002', 'eur 3000']);
  const changed = await stripe.accounts.updateExternalAccount(tutor, first.id, {
    default_for_currency: true,
    account_holder_name: 'Grace',
  });
  expect(changed).toMatchObject({ default_for_currency: true, account_holder_name: 'Grace' });
  expect(await banks()).toEqual(['eur 3003', 'gbp 3000*', 'eur 3002', 'eur 3000*']);
  const { data } = await stripe.accounts.listExternalAccounts(tutor, { limit: 1, starting_after: first.id });
  expect(data).toEqual([]);
  expect((await stripe.accounts.listExternalAccounts(tutor, { object: 'card' })).data).toEqual([]);
});

it('the default one stays while its currency has another or is the account’s own', async () => {
  const pound = await stripe.accounts.createExternalAccount(tutor, iban('gbp'));
  const other = await stripe.accounts.createExternalAccount(tutor, iban('gbp', 'DE89370400440532013002'));
  const euro = await stripe.accounts.createExternalAccount(tutor, iban('eur'));
  for (const { id } of [pound, euro]) {
    expect((await refusal(stripe.accounts.deleteExternalAccount(tutor, id))).message).toContain('cannot delete');
  }
  const gone = await stripe.accounts.deleteExternalAccount(tutor, other.id);
  expect(gone).toMatchObject({ id: other.id, object: 'bank_account', deleted: true });
  expect(await stripe.accounts.deleteExternalAccount(tutor, pound.id)).toMatchObject({ deleted: true });
  expect(await banks()).toEqual(['eur 3000*']);
  const again = stripe.accounts.deleteExternalAccount(tutor, pound.id);
  expect(await refusal(again)).toMatchObject({ statusCode: 404, code: 'resource_missing' });
});

it('an account whose last bank account is gone is asked for one, and paid nothing meanwhile', async () => {
  const { id } = await stripe.accounts.createExternalAccount(tutor, iban('usd'));
  await stripe.accounts.deleteExternalAccount(tutor, id);
  expect(await stripe.accounts.retrieve(tutor)).toMatchObject({
    payouts_enabled: false,
    charges_enabled: true,
    capabilities: { transfers: 'active' },
    requirements: { currently_due: ['external_account'], disabled_reason: 'requirements.past_due' },
  });
  await stripe.accounts.createExternalAccount(tutor, iban('usd'));
  const account = await stripe.accounts.retrieve(tutor);
  expect([account.payouts_enabled, account.requirements?.currently_due]).toEqual([true, []]);
});

it.each([
  ['a number that is none of test mode', iban('eur', 'DE75512108001245126199'), 'account_number_invalid'],
  ['a token that is unknown', { external_account: 'btok_nope' }, 'resource_missing'],
  ['a parameter that is unknown', { ...iban('eur'), iban: 'DE' }, 'parameter_unknown'],
  ['no country', { external_account: { object: 'bank_account', account_number: '000123456789' } }, 'parameter_missing'],
])('%s is refused', async (_, params: object, code) => {
  const external_account = '';
  const asked = stripe.accounts.createExternalAccount(tutor, { external_account, ...params });
  expect(await refusal(asked)).toMatchObject({ statusCode: 400, code });
  expect(await banks()).toEqual([]);
});

it('a bank account belongs to its connected account, which has to be there', async () => {
  const { id } = await stripe.accounts.createExternalAccount(tutor, iban('eur'));
  const { id: other } = await stripe.accounts.create({ type: 'express' });
  expect((await refusal(stripe.accounts.retrieveExternalAccount(other, id))).statusCode).toBe(404);
  const nowhere = stripe.accounts.createExternalAccount('acct_nope', iban('eur'));
  expect(await refusal(nowhere)).toMatchObject({ statusCode: 403, code: 'account_invalid' });
  const own = sdkFor(bench.sandbox.port, { account: tutor });
  expect((await own.events.list()).data.map(({ type }) => type)).toEqual([
    'account.updated',
    'account.external_account.created',
  ]);
});

it('an account says when it is to be paid out', async () => {
  const { settings } = await stripe.accounts.retrieve(tutor);
  expect(settings?.payouts?.schedule).toEqual({ delay_days: 2, interval: 'daily' });
  const payouts = { schedule: { interval: 'manual' as const }, statement_descriptor: 'TUTORING' };
  const changed = await stripe.accounts.update(tutor, { settings: { payouts } });
  expect(changed.settings?.payouts).toMatchObject({
    schedule: { interval: 'manual', delay_days: 2 },
    statement_descriptor: 'TUTORING',
  });
  const weekly = { schedule: { interval: 'weekly' as const, weekly_anchor: 'monday' as const, delay_days: 7 } };
  const made = await stripe.accounts.create({ type: 'express', settings: { payouts: weekly } });
  expect(made.settings?.payouts?.schedule).toEqual({ interval: 'weekly', weekly_anchor: 'monday', delay_days: 7 });
});

/** Where a connected account's money goes: its external accounts, of which the sandbox knows those at banks. */
import { createHash } from 'node:crypto';
import type Stripe from 'stripe';
import { z } from 'zod';
import { badParameter, noSuch, refused } from '../memory/errors';
import { newId } from '../memory/ids';
import { PLATFORM } from '../memory/tables';
import type { Tx } from '../memory/unit-of-work';
import { type Call, del, type Endpoint, get, noParams, ok, post } from '../wire/endpoint';
import { changeMetadata, choice, clearableText, currency, expand, flag, metadata, paging, text } from '../wire/form';
import { page } from '../wire/lists';
import { bankOfToken, bareNumber, isTestNumber } from './bank-numbers';
import { recordEvent } from './events';
import { banksOf, changeAccount, connectedAccount } from './standing';

const holderType = () => choice('company', 'individual');

const bankHash = z.strictObject({
  object: choice('bank_account'),
  account_holder_name: text().optional(),
  account_holder_type: holderType().optional(),
  account_number: text(),
  country: text(2),
  currency: currency().optional(),
  routing_number: text().optional(),
});

/** `external_account`: a test token such as `btok_us_verified`, or the details themselves. */
export const newBank = () => z.union([text(), bankHash]);
export type NewBank = z.output<ReturnType<typeof newBank>>;

interface BankDetails {
  account_number: string;
  country: string;
  currency?: string | undefined;
  routing_number?: string | undefined;
  account_holder_name?: string | undefined;
  account_holder_type?: string | undefined;
}

function detailsOf(given: NewBank): BankDetails {
  const details = typeof given === 'string' ? bankOfToken(given) : given;
  if (details === undefined) throw noSuch('token', String(given), 'external_account');
  return details;
}

const NONE_OF_A_BANK = { currently_due: [], errors: [], past_due: [], pending_verification: [] };

interface Placing {
  /** Takes the place of the one that was the default; the first of its currency is the default anyway. */
  asDefault: boolean;
  metadata?: Record<string, string>;
}

/**
 * Adds a bank account. The caller saves the account, which shows it and no longer asks for it.
 * @throws StripeProblem `account_number_invalid` for a number that is none of test mode
 */
export function addBank(tx: Tx, account: Stripe.Account, given: NewBank, placing: Placing): Stripe.BankAccount {
  const details = detailsOf(given);
  const number = bareNumber(details.account_number);
  if (!isTestNumber(number)) {
    throw badParameter(
      'You must use a test bank account number in test mode. Try 000123456789 or see more options at https://stripe.com/docs/connect/testing#account-numbers.',
      'external_account[account_number]',
      'account_number_invalid',
    );
  }
  const own = tx.as(account.id);
  const inCurrency = details.currency ?? account.default_currency ?? 'usd';
  const earlier = banksOf(tx, account.id).filter((bank) => bank.currency === inCurrency && bank.default_for_currency);
  const isDefault = placing.asDefault || earlier.length === 0;
  if (isDefault) for (const bank of earlier) own.bankAccounts.save({ ...bank, default_for_currency: false });
  const bank: Stripe.BankAccount = {
    id: newId('ba'),
    object: 'bank_account',
    account: account.id,
    account_holder_name: details.account_holder_name ?? null,
    account_holder_type: details.account_holder_type ?? null,
    account_type: null,
    available_payout_methods: ['standard'],
    bank_name: 'STRIPE TEST BANK',
    country: details.country.toUpperCase(),
    currency: inCurrency,
    default_for_currency: isDefault,
    fingerprint: createHash('sha256').update(number).digest('base64url').slice(0, 16),
    future_requirements: NONE_OF_A_BANK,
    last4: number.slice(-4),
    metadata: placing.metadata ?? {},
    requirements: NONE_OF_A_BANK,
    routing_number: details.routing_number ?? null,
    status: 'new',
  };
  own.bankAccounts.add(bank);
  recordEvent(own, 'account.external_account.created', bank);
  return bank;
}

/** The account to which payouts of a currency go, unless they name another. */
export function defaultBank(tx: Tx, account: string, inCurrency: string): Stripe.BankAccount | undefined {
  return banksOf(tx, account).find((bank) => bank.currency === inCurrency && bank.default_for_currency);
}

/** A bank account that is there, by its id. @throws StripeProblem `resource_missing` */
export function bankById(tx: Tx, account: string, id: string, param?: string): Stripe.BankAccount {
  const bank = tx.as(account).bankAccounts.get(id, param);
  if (bank.deleted) throw noSuch('external account', id, param);
  return bank;
}

/** After a payout that failed Stripe pays nothing more to an account until it is replaced. */
export function disableBank(tx: Tx, accountId: string, id: string): void {
  const before = tx.as(accountId).bankAccounts.find(id);
  if (before === undefined || before.deleted || before.status === 'errored') return;
  const bank: Stripe.BankAccount = { ...before, status: 'errored' };
  tx.as(accountId).bankAccounts.save(bank);
  recordEvent(tx.as(accountId), 'account.external_account.updated', bank, before);
  const account = tx.as(PLATFORM).accounts.find(accountId);
  // It may have been deleted while the payout was on its way.
  if (account !== undefined && !account.deleted) changeAccount(tx, account, account);
}

const createParams = z.strictObject({
  external_account: newBank(),
  default_for_currency: flag().optional(),
  metadata: metadata().optional(),
  expand: expand(),
});

function create({ tx, id }: Call, params: z.output<typeof createParams>) {
  const account = connectedAccount(tx, id);
  const bank = addBank(tx, account, params.external_account, {
    asDefault: params.default_for_currency ?? false,
    metadata: changeMetadata({}, params.metadata),
  });
  changeAccount(tx, account, account);
  return ok(bank);
}

const updateParams = z.strictObject({
  account_holder_name: clearableText().optional(),
  account_holder_type: z.union([z.literal('').transform(() => null), holderType()]).optional(),
  default_for_currency: flag().optional(),
  metadata: metadata().optional(),
  expand: expand(),
});

function update({ tx, id, sub }: Call, params: z.output<typeof updateParams>) {
  const account = connectedAccount(tx, id);
  const before = bankById(tx, id, sub);
  const { expand: _, metadata: change, default_for_currency: asDefault, ...plain } = params;
  if (asDefault) {
    const earlier = defaultBank(tx, id, before.currency);
    if (earlier !== undefined) tx.as(id).bankAccounts.save({ ...earlier, default_for_currency: false });
  }
  const bank: Stripe.BankAccount = {
    ...before,
    ...plain,
    default_for_currency: asDefault === true || before.default_for_currency === true,
    metadata: changeMetadata(before.metadata ?? {}, change),
  };
  tx.as(id).bankAccounts.save(bank);
  recordEvent(tx.as(id), 'account.external_account.updated', bank, before);
  changeAccount(tx, account, account);
  return ok(bank);
}

/** @throws StripeProblem for the default one while there is another of its currency, or while it is the account's own currency */
function remove({ tx, id, sub }: Call) {
  const account = connectedAccount(tx, id);
  const bank = bankById(tx, id, sub);
  const others = banksOf(tx, id).some((other) => other.id !== sub && other.currency === bank.currency);
  if (bank.default_for_currency && (others || bank.currency === account.default_currency)) {
    throw refused(
      'You cannot delete the default external account for your default currency. Please make another external account the default using the `default_for_currency` param, and then delete this one.',
    );
  }
  const deleted = { id: sub, object: 'bank_account' as const, currency: bank.currency, deleted: true as const };
  tx.as(id).bankAccounts.save(deleted);
  recordEvent(tx.as(id), 'account.external_account.deleted', bank);
  changeAccount(tx, account, account);
  return ok(deleted);
}

const { created: _, ...listPaging } = paging;

export const bankAccountEndpoints: Endpoint[] = [
  post('/v1/accounts/:id/external_accounts', createParams, create),
  get(
    '/v1/accounts/:id/external_accounts',
    z.strictObject({ ...listPaging, object: choice('bank_account', 'card').optional() }),
    ({ tx, id }, params) => {
      const account = connectedAccount(tx, id);
      const banks = tx.as(account.id).bankAccounts;
      return ok(
        page(banks, `/v1/accounts/${id}/external_accounts`, params, {
          keep: (bank) => !bank.deleted && params.object !== 'card',
        }),
      );
    },
  ),
  get('/v1/accounts/:id/external_accounts/:sub', noParams, ({ tx, id, sub }) => {
    connectedAccount(tx, id);
    return ok(bankById(tx, id, sub));
  }),
  post('/v1/accounts/:id/external_accounts/:sub', updateParams, update),
  del('/v1/accounts/:id/external_accounts/:sub', noParams, remove),
];

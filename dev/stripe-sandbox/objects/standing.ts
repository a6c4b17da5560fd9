/** What Stripe wants to know of a connected account, and what the account may do meanwhile. */
import type Stripe from 'stripe';
import { noAccess } from '../memory/errors';
import { PLATFORM } from '../memory/tables';
import type { Tx } from '../memory/unit-of-work';
import { recordEvent } from './events';

export type Requirements = Stripe.Account.Requirements;

export const NOTHING_DUE: Requirements = {
  alternatives: [],
  current_deadline: null,
  currently_due: [],
  disabled_reason: null,
  errors: [],
  eventually_due: [],
  past_due: [],
  pending_verification: [],
};

/** The one requirement that stops payouts alone. */
export const BANK_ACCOUNT = 'external_account';

/** What a person who is to be paid is asked. See https://docs.stripe.com/connect/required-verification-information */
const ASKED_OF_A_PERSON = [
  'business_profile.mcc',
  'business_profile.url',
  'business_type',
  BANK_ACCOUNT,
  'individual.dob.day',
  'individual.dob.month',
  'individual.dob.year',
  'individual.first_name',
  'individual.last_name',
  'tos_acceptance.date',
  'tos_acceptance.ip',
];

interface Asked {
  due: readonly string[];
  /** Overdue stops the account; otherwise it works on until the deadline, in seconds. */
  overdue: boolean;
  deadline?: number | null;
  /** Why it is stopped, if not for what is overdue. */
  reason?: Requirements['disabled_reason'];
}

export function requirementsOf({ due, overdue, deadline = null, reason = null }: Asked): Requirements {
  const lists = { currently_due: [...due], eventually_due: [...due], past_due: overdue ? [...due] : [] };
  return { ...NOTHING_DUE, ...lists, current_deadline: deadline, disabled_reason: reason ?? reasonFor(lists.past_due) };
}

function reasonFor(overdue: readonly string[]): Requirements['disabled_reason'] {
  return overdue.length > 0 ? 'requirements.past_due' : null;
}

/** A new account has everything overdue at Stripe until its owner was onboarded. */
export const OF_A_NEW_ACCOUNT = requirementsOf({ due: ASKED_OF_A_PERSON, overdue: true });

/** The same requirements with a bank account among them, or without. */
function withBankAccountDue(requirements: Requirements, isDue: boolean): Requirements {
  const asked = (list: string[] | null) => [
    ...(list ?? []).filter((name) => name !== BANK_ACCOUNT),
    ...(isDue ? [BANK_ACCOUNT] : []),
  ];
  const overdue = asked(requirements.past_due);
  const reason = requirements.disabled_reason;
  const isOurs = reason === null || reason === 'requirements.past_due';
  return {
    ...requirements,
    currently_due: asked(requirements.currently_due),
    eventually_due: asked(requirements.eventually_due),
    past_due: overdue,
    disabled_reason: isOurs ? reasonFor(overdue) : reason,
  };
}

/**
 * What an account may do, from what is overdue. A capability that was requested is named, and works unless something
 * but the bank account is overdue or Stripe has stopped the account; payouts need the bank account too.
 */
export function withStanding(account: Stripe.Account): Stripe.Account {
  const { past_due: overdue, disabled_reason: reason } = account.requirements ?? NOTHING_DUE;
  const onlyBank = (overdue ?? []).every((name) => name === BANK_ACCOUNT);
  const works = onlyBank && (reason === null || reason === 'requirements.past_due');
  const status = works ? 'active' : 'inactive';
  const { card_payments: cards, transfers } = account.capabilities ?? {};
  return {
    ...account,
    capabilities: {
      ...(cards === undefined ? {} : { card_payments: status }),
      ...(transfers === undefined ? {} : { transfers: status }),
    },
    charges_enabled: works && cards !== undefined,
    payouts_enabled: works && transfers !== undefined && reason === null,
  };
}

/**
 * A connected account by its id.
 * @throws StripeProblem 403 `account_invalid` for one that is unknown or deleted, as Stripe answers
 */
export function connectedAccount(tx: Tx, id: string): Stripe.Account {
  const account = tx.as(PLATFORM).accounts.find(id);
  if (account === undefined || account.deleted) throw noAccess(id);
  return account;
}

/** Stores an account as it stands after a change. Stripe tells the platform's Connect endpoint, as an event of the account. */
export function changeAccount(tx: Tx, before: Stripe.Account, after: Stripe.Account): Stripe.Account {
  const account = tx.as(PLATFORM).accounts.save(withStanding(withBanks(tx, after)));
  recordEvent(tx.as(account.id), 'account.updated', account, before);
  return account;
}

/** The bank accounts of a connected account, the newest first. */
export function banksOf(tx: Tx, account: string): Stripe.BankAccount[] {
  const banks: Stripe.BankAccount[] = [];
  for (const bank of tx.as(account).bankAccounts.list()) if (!bank.deleted) banks.push(bank);
  return banks;
}

/** Stripe shows the ten newest on the account itself. */
const BANKS_SHOWN = 10;

/**
 * Shows an account's bank accounts on it. One is due where payouts to the default one of a currency fail, where the last one was
 * taken away, and where none was given yet though one was asked for.
 */
export function withBanks(tx: Tx, account: Stripe.Account): Stripe.Account {
  const banks = banksOf(tx, account.id);
  const { requirements = NOTHING_DUE, external_accounts: shown } = account;
  const asked = requirements.currently_due?.includes(BANK_ACCOUNT) || (shown?.data.length ?? 0) > 0;
  const fails = banks.some((bank) => bank.default_for_currency && bank.status === 'errored');
  return {
    ...account,
    external_accounts: {
      object: 'list',
      data: banks.slice(0, BANKS_SHOWN),
      has_more: banks.length > BANKS_SHOWN,
      url: `/v1/accounts/${account.id}/external_accounts`,
    },
    requirements: withBankAccountDue(requirements, fails || (banks.length === 0 && asked)),
  };
}

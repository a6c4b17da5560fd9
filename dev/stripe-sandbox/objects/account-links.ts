/** Links by which the owner of a connected account tells Stripe what it wants to know. */
import type Stripe from 'stripe';
import { z } from 'zod';
import { randomText } from '../memory/ids';
import type { OnboardingLink } from '../memory/tables';
import { PLATFORM } from '../memory/tables';
import type { Tx } from '../memory/unit-of-work';
import { type Call, type Endpoint, ok, post } from '../wire/endpoint';
import { choice, expand, text, webAddress } from '../wire/form';
import { addBank, type NewBank } from './bank-accounts';
import { BANK_ACCOUNT, changeAccount, connectedAccount, requirementsOf } from './standing';

/** Stripe's links are good for some minutes; its example shows five. */
const GOOD_FOR_SECONDS = 300;

const fields = () => choice('currently_due', 'eventually_due');
const createParams = z.strictObject({
  account: text(),
  type: choice('account_onboarding'),
  refresh_url: webAddress(),
  return_url: webAddress(),
  collect: fields().optional(),
  collection_options: z
    .strictObject({ fields: fields().optional(), future_requirements: choice('include', 'omit').optional() })
    .optional(),
  expand: expand(),
});

/** See https://docs.stripe.com/api/account_links/create */
function create({ tx, baseUrl }: Call, params: z.output<typeof createParams>) {
  const account = connectedAccount(tx, params.account);
  const link = tx.as(PLATFORM).onboardingLinks.add({
    id: randomText(12),
    account: account.id,
    expiresAt: tx.seconds + GOOD_FOR_SECONDS,
    returnUrl: params.return_url,
    refreshUrl: params.refresh_url,
    state: 'new',
  });
  const made: Stripe.AccountLink = {
    object: 'account_link',
    created: tx.seconds,
    expires_at: link.expiresAt,
    url: `${baseUrl}/sandbox/onboarding/${account.id}/${link.id}`,
  };
  return ok(made);
}

export const accountLinkEndpoints: Endpoint[] = [post('/v1/account_links', createParams, create)];

/** The link behind a URL, if there is one for this account. */
export function findLink(tx: Tx, account: string, id: string): OnboardingLink | undefined {
  const link = tx.as(PLATFORM).onboardingLinks.find(id);
  return link?.account === account ? link : undefined;
}

/** Opens a link, once. @returns false if it was opened before or is too old: its bearer has to ask for a new one */
export function openLink(tx: Tx, link: OnboardingLink): boolean {
  if (link.state !== 'new' || link.expiresAt <= tx.seconds) return false;
  tx.as(PLATFORM).onboardingLinks.save({ ...link, state: 'opened' });
  return true;
}

/** Whether what a link has opened may still be submitted. A script may do so without having opened it. */
export function isOpen(tx: Tx, link: OnboardingLink): boolean {
  return link.state === 'opened' || (link.state === 'new' && link.expiresAt > tx.seconds);
}

export function closeLink(tx: Tx, link: OnboardingLink): void {
  tx.as(PLATFORM).onboardingLinks.save({ ...link, state: 'submitted' });
}

/**
 * The owner has answered all that was asked, and gives bank accounts, each for its currency in place of an earlier one. What is still
 * due then is a bank account, if none that works was given.
 * @throws StripeProblem `account_number_invalid`, and nothing is changed
 */
export function completeOnboarding(tx: Tx, accountId: string, banks: readonly NewBank[]): Stripe.Account {
  const before = connectedAccount(tx, accountId);
  for (const bank of banks) addBank(tx, before, bank, { asDefault: true });
  return changeAccount(tx, before, {
    ...before,
    business_type: before.business_type ?? 'individual',
    details_submitted: true,
    requirements: requirementsOf({
      due: before.requirements?.currently_due?.includes(BANK_ACCOUNT) ? [BANK_ACCOUNT] : [],
      overdue: true,
    }),
    tos_acceptance: { date: tx.seconds, ip: '127.0.0.1' },
  });
}

interface Demand {
  /** Names such as `individual.verification.document`; none lifts all that was demanded before. */
  due: readonly string[];
  overdue: boolean;
  deadline: number | null;
  reason: Stripe.Account.Requirements.DisabledReason | null;
}

/** Stripe wants to know more of an account, or stops it for another reason. */
export function demand(tx: Tx, accountId: string, what: Demand): Stripe.Account {
  const before = connectedAccount(tx, accountId);
  return changeAccount(tx, before, { ...before, requirements: requirementsOf(what) });
}

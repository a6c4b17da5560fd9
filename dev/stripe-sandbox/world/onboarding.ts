/** The page behind an account link: where the owner of a connected account, or a script in their place, is onboarded. */
import express, { type Request, type Response, Router } from 'express';
import type Stripe from 'stripe';
import { z } from 'zod';
import { chargeableCurrencies, isChargeable } from '../../../kernel/currencies';
import { StripeProblem } from '../memory/errors';
import type { Store } from '../memory/store';
import { NO_REQUEST, type OnboardingLink, PLATFORM } from '../memory/tables';
import { closeLink, completeOnboarding, findLink, isOpen, openLink } from '../objects/account-links';
import type { NewBank } from '../objects/bank-accounts';
import { connectedAccount } from '../objects/standing';
import { escapeHtml, htmlPage } from './html';

/** Somebody paid in more currencies opens the page again. */
const BANKS_ON_THE_PAGE = 3;

/**
 * `GET /:account/:link` shows the form, once. `POST` to the same place submits it; with `later` it changes nothing. Both end at the
 * `return_url`, which says nothing of how it went. A link that is used or too old leads to its `refresh_url`.
 */
export function onboardingPages(store: Store): Router {
  const router = Router();
  router.get('/:account/:link', (req, res) => show(store, req, res));
  router.post('/:account/:link', express.urlencoded({ extended: true }), (req, res) => submit(store, req, res));
  return router;
}

type LinkRequest = Request<{ account: string; link: string }>;

function linkOf(store: Store, { params }: LinkRequest, res: Response): OnboardingLink | undefined {
  const link = findLink(store.read(PLATFORM), params.account, params.link);
  if (link === undefined) res.status(404).type('html').send(pageOf('No such link'));
  return link;
}

async function show(store: Store, req: LinkRequest, res: Response): Promise<void> {
  const link = linkOf(store, req, res);
  if (link === undefined) return;
  const opened = await store.transact(PLATFORM, NO_REQUEST, (tx) => {
    // Read again: two who come at once are told apart here.
    const now = findLink(tx, link.account, link.id);
    return now !== undefined && openLink(tx, now) ? connectedAccount(tx, link.account) : undefined;
  });
  if (opened === undefined) res.redirect(303, link.refreshUrl);
  else res.type('html').send(pageOf('Tell us about yourself', formOf(opened)));
}

const personBody = {
  first_name: z.string().trim().min(1, 'is missing'),
  last_name: z.string().trim().min(1, 'is missing'),
  dob: z.iso.date('is no date such as 1990-12-31'),
};
const bankBody = z.object({
  currency: z
    .string()
    .trim()
    .refine((code) => isChargeable(code.toUpperCase()), 'is no currency such as EUR')
    .transform((code) => code.toLowerCase()),
  country: z.string().trim().length(2, 'is no country such as DE'),
  account_number: z.string().trim(),
});
const isFilledIn = (bank: unknown) =>
  typeof bank === 'object' && bank !== null && 'account_number' in bank && bank.account_number !== '';
const body = z.object({
  ...personBody,
  banks: z
    .preprocess((rows) => Object.values(rows ?? {}).filter(isFilledIn), z.array(bankBody).max(BANKS_ON_THE_PAGE))
    .default([]),
});

async function submit(store: Store, req: LinkRequest, res: Response): Promise<void> {
  const link = linkOf(store, req, res);
  if (link === undefined) return;
  if (!isOpen(store.read(PLATFORM), link)) return res.redirect(303, link.refreshUrl);
  const given: unknown = req.body ?? {};
  if (typeof given === 'object' && given !== null && 'later' in given) return res.redirect(303, link.returnUrl);
  const parsed = body.safeParse(given);
  if (!parsed.success) return again(store, link, res, z.prettifyError(parsed.error));
  const { first_name: first, last_name: last } = parsed.data;
  const banks = parsed.data.banks.map(
    (bank): NewBank => ({ ...bank, object: 'bank_account', account_holder_name: `${first} ${last}` }),
  );
  try {
    const isFirst = await store.transact(PLATFORM, NO_REQUEST, (tx) => {
      const now = findLink(tx, link.account, link.id);
      if (now === undefined || !isOpen(tx, now)) return false;
      completeOnboarding(tx, link.account, banks);
      closeLink(tx, now);
      return true;
    });
    res.redirect(303, isFirst ? link.returnUrl : link.refreshUrl);
  } catch (error) {
    if (!(error instanceof StripeProblem)) throw error;
    again(store, link, res, error.message);
  }
}

/** The form once more, with what is wrong. */
function again(store: Store, link: OnboardingLink, res: Response, what: string): void {
  const account = connectedAccount(store.read(PLATFORM), link.account);
  const complaint = `<p role="alert">${escapeHtml(what)}</p>`;
  res
    .status(422)
    .type('html')
    .send(pageOf('Something is not right yet', complaint + formOf(account)));
}

function formOf(account: Stripe.Account): string {
  const due = account.requirements?.currently_due ?? [];
  const asked = due.length > 0 ? `<p>Still to be told: ${due.map(escapeHtml).join(', ')}</p>` : '';
  const codes = chargeableCurrencies().map((code) => `<option>${code}</option>`);
  const country = escapeHtml(account.country ?? '');
  const own = escapeHtml(account.default_currency?.toUpperCase() ?? '');
  const banks = Array.from(
    { length: BANKS_ON_THE_PAGE },
    (_, n) => `<fieldset><legend>Bank account ${n + 1}</legend>
<label>Currency <input name="banks[${n}][currency]" list="currencies" value="${n === 0 ? own : ''}"></label>
<label>Country <input name="banks[${n}][country]" value="${country}" maxlength="2"></label>
<label>IBAN or account number <input name="banks[${n}][account_number]" placeholder="DE89370400440532013000"></label>
</fieldset>`,
  );
  return `<p>This stands in for the page on which Stripe asks who is to be paid.</p>
${asked}
<form method="post">
<label>First name <input name="first_name" autocomplete="given-name" required></label>
<label>Last name <input name="last_name" autocomplete="family-name" required></label>
<label>Date of birth <input name="dob" type="date" required></label>
${banks.join('\n')}
<datalist id="currencies">${codes.join('')}</datalist>
<button>Submit</button>
<button name="later" value="1" formnovalidate>Not now</button>
</form>`;
}

function pageOf(title: string, content = ''): string {
  return htmlPage('Onboarding test page', title, content);
}

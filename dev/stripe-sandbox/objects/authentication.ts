/** When a bank wants to know that it is the customer, and where it asks. See https://docs.stripe.com/payments/3d-secure */
import type Stripe from 'stripe';
import { PLATFORM } from '../memory/tables';
import type { Tx } from '../memory/unit-of-work';
import { cardOf } from './payment-methods';
import type { Decline } from './test-cards';

/** The customer would have to authenticate, and is not there. */
export const AUTHENTICATION_REQUIRED: Decline = {
  code: 'authentication_required',
  declineCode: 'authentication_required',
  message: 'Your card was declined. This transaction requires authentication.',
};

/** Whether a payment has to be authenticated; off session a card that was set up for that may go without. */
export function paymentAuthenticates(tx: Tx, method: Stripe.PaymentMethod, offSession: boolean): boolean {
  const { authenticates } = cardOf(method);
  if (authenticates === 'on_session') return !offSession;
  if (authenticates === 'unless_set_up') return !(offSession && isSetUp(tx, method));
  return authenticates === 'always';
}

/** Whether setting a card up has to be authenticated: one that counts as set up already has not. */
export function setupAuthenticates(method: Stripe.PaymentMethod): boolean {
  const { authenticates } = cardOf(method);
  return authenticates === 'always' || authenticates === 'unless_set_up';
}

/** The customer has agreed to later payments off session, in a setup or with a payment. */
function isSetUp(tx: Tx, { id }: Stripe.PaymentMethod): boolean {
  const link = `set_up:${id}`;
  return !tx.setupIntents.list({ link }).next().done || !tx.paymentIntents.list({ link }).next().done;
}

interface Asking {
  returnUrl?: string | undefined;
  baseUrl: string;
}

/** With a return URL the customer is sent to the page of the bank; without one Stripe.js shows that page. Both are ours. */
export function askCustomer(tx: Tx, intentId: string, { returnUrl, baseUrl }: Asking) {
  const url = new URL(`/sandbox/3ds/${intentId}`, baseUrl);
  if (tx.account !== PLATFORM) url.searchParams.set('account', tx.account);
  if (returnUrl !== undefined) {
    return { type: 'redirect_to_url', redirect_to_url: { return_url: returnUrl, url: url.href } };
  }
  return { type: 'use_stripe_sdk', use_stripe_sdk: { type: 'three_d_secure_redirect', stripe_js: url.href } };
}

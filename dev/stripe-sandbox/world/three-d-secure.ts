/** The bank's page: where a person, or a script in their place, completes or fails 3-D Secure. */
import { type Request, type Response, Router } from 'express';
import type Stripe from 'stripe';
import { money } from '../memory/amounts';
import { errorBody, StripeProblem } from '../memory/errors';
import type { Store } from '../memory/store';
import { NO_REQUEST, PLATFORM } from '../memory/tables';
import { idOf } from '../objects/charges';
import { authenticate } from '../objects/intent-lifecycle';
import { htmlPage, wantsHtml } from './html';

/**
 * `GET /:id` shows the page, `POST /:id/complete` and `/:id/fail` decide. Scripts get the PaymentIntent or Stripe's error as
 * JSON; browsers go back to the `return_url`, as from a bank.
 */
export function threeDSecurePages(store: Store): Router {
  const router = Router();
  router.get('/:id', (req, res) => {
    const intent = store.read(accountOf(req)).paymentIntents.find(req.params.id);
    if (intent === undefined) res.status(404).type('html').send(pageOf('No such payment'));
    else res.type('html').send(pageOf(titleOf(intent), formsOf(intent, accountOf(req))));
  });
  router.post('/:id/complete', (req, res) => decide(store, req, res, true));
  router.post('/:id/fail', (req, res) => decide(store, req, res, false));
  return router;
}

function accountOf(req: Request): string {
  return typeof req.query.account === 'string' ? req.query.account : PLATFORM;
}

async function decide(store: Store, req: Request<{ id: string }>, res: Response, passed: boolean): Promise<void> {
  const { id } = req.params;
  const account = accountOf(req);
  const returnUrl = returnUrlOf(store.read(account).paymentIntents.find(id));
  try {
    const intent = await store.transact(account, NO_REQUEST, (tx) => authenticate(tx, id, passed));
    if (!wantsHtml(req)) res.json(intent);
    else if (returnUrl === undefined) res.type('html').send(pageOf(titleOf(intent)));
    else res.redirect(303, backTo(returnUrl, intent));
  } catch (error) {
    if (!(error instanceof StripeProblem)) throw error;
    res.status(error.status);
    if (wantsHtml(req)) res.type('html').send(pageOf(error.message));
    else res.type('json').send(errorBody(error.fields, ''));
  }
}

function returnUrlOf(intent: Stripe.PaymentIntent | undefined): string | undefined {
  return intent?.next_action?.redirect_to_url?.return_url ?? undefined;
}

/** Stripe tells the page it returns to how it went. See https://docs.stripe.com/payments/3d-secure/authentication-flow */
function backTo(returnUrl: string, intent: Stripe.PaymentIntent): string {
  const url = new URL(returnUrl);
  const paid = intent.status === 'succeeded' || intent.status === 'requires_capture';
  url.searchParams.set('payment_intent', intent.id);
  url.searchParams.set('payment_intent_client_secret', intent.client_secret ?? '');
  url.searchParams.set('redirect_status', paid ? 'succeeded' : 'failed');
  return url.href;
}

function titleOf(intent: Stripe.PaymentIntent): string {
  const sum = money(intent.amount, intent.currency);
  if (intent.status === 'requires_action') return `Confirm the payment of ${sum}`;
  return `Payment of ${sum}: ${intent.status.replaceAll('_', ' ')}`;
}

function formsOf(intent: Stripe.PaymentIntent, account: string): string {
  if (intent.status !== 'requires_action' || idOf(intent.payment_method) === null) return '';
  const query = account === PLATFORM ? '' : `?account=${encodeURIComponent(account)}`;
  const form = (action: string, label: string) =>
    `<form method="post" action="/sandbox/3ds/${intent.id}/${action}${query}"><button>${label}</button></form>`;
  return `<p>This stands in for the 3-D Secure page of the customer's bank.</p>
${form('complete', 'Complete authentication')}
${form('fail', 'Fail authentication')}`;
}

function pageOf(title: string, content = ''): string {
  return htmlPage('3-D Secure test page', title, content);
}

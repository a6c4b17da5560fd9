/** The bank's page: where a person, or a script in their place, completes or fails 3-D Secure. */
import { type Request, type Response, Router } from 'express';
import type Stripe from 'stripe';
import { money } from '../memory/amounts';
import { errorBody, StripeProblem } from '../memory/errors';
import type { Store } from '../memory/store';
import { NO_REQUEST, PLATFORM } from '../memory/tables';
import type { Tx } from '../memory/unit-of-work';
import { authenticate } from '../objects/intent-lifecycle';
import { authenticateSetup } from '../objects/setup-lifecycle';
import { htmlPage, wantsHtml } from './html';

type Intent = Stripe.PaymentIntent | Stripe.SetupIntent;

/**
 * `GET /:id` shows the page of a PaymentIntent or SetupIntent, `POST /:id/complete` and `/:id/fail` decide. Scripts get the intent or
 * Stripe's error as JSON; browsers go back to the `return_url`, as from a bank.
 */
export function threeDSecurePages(store: Store): Router {
  const router = Router();
  router.get('/:id', (req, res) => {
    const intent = find(store.read(accountOf(req)), req.params.id);
    if (intent === undefined) res.status(404).type('html').send(pageOf('No such payment or setup'));
    else res.type('html').send(pageOf(titleOf(intent), formsOf(intent, accountOf(req))));
  });
  router.post('/:id/complete', (req, res) => decide(store, req, res, true));
  router.post('/:id/fail', (req, res) => decide(store, req, res, false));
  return router;
}

function accountOf(req: Request): string {
  return typeof req.query.account === 'string' ? req.query.account : PLATFORM;
}

function find(tx: Tx, id: string): Intent | undefined {
  return tx.paymentIntents.find(id) ?? tx.setupIntents.find(id);
}

async function decide(store: Store, req: Request<{ id: string }>, res: Response, passed: boolean): Promise<void> {
  const { id } = req.params;
  const account = accountOf(req);
  const returnUrl = find(store.read(account), id)?.next_action?.redirect_to_url?.return_url ?? undefined;
  const answer = id.startsWith('seti_') ? authenticateSetup : authenticate;
  try {
    const intent: Intent = await store.transact(account, NO_REQUEST, (tx) => answer(tx, id, passed));
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

/** Stripe tells the page it returns to how it went. See https://docs.stripe.com/payments/3d-secure/authentication-flow */
function backTo(returnUrl: string, intent: Intent): string {
  const url = new URL(returnUrl);
  const passed = intent.status === 'succeeded' || intent.status === 'requires_capture';
  url.searchParams.set(intent.object, intent.id);
  url.searchParams.set(`${intent.object}_client_secret`, intent.client_secret ?? '');
  url.searchParams.set('redirect_status', passed ? 'succeeded' : 'failed');
  return url.href;
}

function titleOf(intent: Intent): string {
  const isAsked = intent.status === 'requires_action';
  const status = intent.status.replaceAll('_', ' ');
  if (intent.object === 'setup_intent')
    return isAsked ? 'Confirm that your card is kept' : `Keeping your card: ${status}`;
  const sum = money(intent.amount, intent.currency);
  return isAsked ? `Confirm the payment of ${sum}` : `Payment of ${sum}: ${status}`;
}

function formsOf(intent: Intent, account: string): string {
  if (intent.status !== 'requires_action' || intent.payment_method === null) return '';
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

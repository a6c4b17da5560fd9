/**
 * A local Stripe for development and tests: the real SDK talks to it over HTTP, and what it was told survives kill -9.
 *
 * Modelled as Stripe documents it (API version 2026-10-28.endive):
 * - customers, connected accounts, payment methods (the test tokens of https://docs.stripe.com/testing), PaymentIntents,
 *   charges, refunds, transfers and their reversals, balance, balance transactions, events; `Stripe-Account`
 * - what is due of a connected account (`requirements`), account links with a page behind them, bank accounts per currency
 * - payouts of connected accounts: pending, in transit, paid, failed (after paid too), cancelled; failures that disable the bank account
 * - PaymentIntents: create, confirm, capture (full or partial), cancel, update; manual capture with `capture_before` and
 *   expiry; 3-D Secure; declines (402 with the PaymentIntent); `off_session`; the `return_url` that redirects need
 * - SetupIntents: create, confirm, cancel, update; cards that their customer keeps, and what of 3-D Secure that spares off session
 * - money that was authorised and not captured is given back by a refund without a balance transaction
 * - refunds that fail or succeed later (`pm_card_refundFail`, `pm_card_pendingRefund`)
 * - disputes: inquiries and their escalation, chargebacks with their withdrawal, fee and reinstatement, evidence staged and submitted,
 *   deadlines, won, lost (late wins too), accepted; amounts below and above the charge's; refunds that they forbid
 * - fees, balances, `balance_insufficient`, `source_transaction`
 * - refusals: unknown, missing and malformed parameters, state, amounts, missing objects, keys
 * - publishable keys, which may make payment methods and see and confirm intents by their client secret; a stand-in for Stripe.js, whose
 *   frames take the numbers of test cards
 * - idempotency keys: first reply kept 24 h with its effect and given again, 500s too; conflicts; keys in use
 * - `expand`, pagination, `Request-Id`, `Stripe-Should-Retry`, Stripe's error shapes
 * - webhooks: an event per change, signed, at least once, retried for three days across restarts; connected accounts' events go to an
 *   endpoint of their own, under a secret of its own
 *
 * Simplified: connected accounts are active at once and need no bank account for that, unless they have to be onboarded
 * (see POST /sandbox/settings), and then all that is asked is answered by one form; bank accounts may be added by API
 * to accounts of every type; no schedule pays anything out; a payout's `arrival_date` is a second, not a day; each
 * currency settles in itself; a charge's money is available and an `automatic_async` charge booked at once (see POST
 * /sandbox/settings); the fees are the same everywhere; a refund may overdraw the balance; the pages are the sandbox's
 * own; there is one webhook endpoint of each kind; a failed refund is taken off the charge's `amount_refunded`; a dispute
 * that nobody answers is lost in the second of its deadline, and only Visa's have reason codes; a Stripe.js element has
 * the fields of a card, whatever its kind.
 *
 * Not modelled: what of Stripe.js README.md does not name, tokens and ConfirmationTokens, SetupAttempts and mandates,
 * payment methods other than cards, destination charges and application fees, files and enhanced evidence of disputes,
 * Smart Disputes, appeals and prevented disputes, the fee for countering one (which Stripe bills apart), payouts of the
 * platform itself, instant and automatic payouts and their reversal, debit cards as external accounts, bank tokens but those for tests, persons, search, test clocks, API
 * versions, rate limits (but by fault), `destination_payment` objects, the once-only use of unattached payment methods.
 * What is not modelled is refused (`parameter_unknown`, unrecognized URL), never silently ignored.
 */
import { setMaxListeners } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express, { type ErrorRequestHandler, type Express } from 'express';
import { type ApiContext, ENDPOINTS, handle } from './api';
import { errorBody } from './memory/errors';
import { newId } from './memory/ids';
import { startQueue } from './memory/jobs';
import { openStore, type Store } from './memory/store';
import { type Job, NO_REQUEST } from './memory/tables';
import type { Tx } from './memory/unit-of-work';
import { announceFunds } from './objects/balance';
import { bookLateCharge } from './objects/charges';
import { closeInquiry, decideDispute, missDeadline, openCardDispute } from './objects/dispute-lifecycle';
import { expireAuthorization } from './objects/intent-lifecycle';
import { endPayout, returnPayout, sendPayout } from './objects/payout-lifecycle';
import { settleRefund } from './objects/refunds';
import { stripeJsPages } from './stripe-js/pages';
import { forgetOldReplies, KeysInUse } from './wire/idempotency';
import { createRequestLog } from './wire/request-log';
import { controlRoutes } from './world/control';
import { createFaults } from './world/faults';
import { onboardingPages } from './world/onboarding';
import { threeDSecurePages } from './world/three-d-secure';
import { createCourier, DELIVERIES_AT_ONCE } from './world/webhooks';

export interface SandboxOptions {
  /** 0 takes a free one. */
  port: number;
  /** Where the database lives; one sandbox at a time. */
  dataDir: string;
  /** Where events go. Left out, the endpoint set last stays, if any. */
  webhookUrl?: string | undefined;
  /** Signs the events (`whsec_…`); required with a URL. */
  webhookSecret?: string | undefined;
  /** Signs the events of connected accounts, which go to the same URL. Left out, their endpoint set last stays, if any. */
  connectWebhookSecret?: string | undefined;
}

export interface StripeSandbox {
  url: string;
  port: number;
  /** Stops cleanly: what is under way is finished or left for the next start. */
  close(): Promise<void>;
}

/** Longer than the SDK's agent keeps idle connections, so that none is closed under a request. */
const KEEP_ALIVE_MS = 75_000;
const BANK_JOBS_AT_ONCE = 4;
/** Evidence has 150,000 characters at most, and a form spends up to twelve bytes on one. */
const EVIDENCE_BYTES = 2_000_000;
/** A client that keeps its connection open cannot keep a stopped sandbox alive. */
const CLOSE_WITHIN_MS = 2000;

/**
 * Starts a sandbox on 127.0.0.1.
 * @throws Error if the port is taken, or a webhook URL comes without a secret
 */
export async function startStripeSandbox(options: SandboxOptions): Promise<StripeSandbox> {
  const { webhookUrl, webhookSecret, connectWebhookSecret } = options;
  if (webhookUrl !== undefined && webhookSecret === undefined) {
    throw new Error('the Stripe sandbox needs a webhook secret to sign with when it has a webhook URL');
  }
  const store = openStore(options.dataDir);
  if (webhookUrl !== undefined && webhookSecret !== undefined) {
    const all = { url: webhookUrl, enabledEvents: ['*'] };
    await store.saveWebhookEndpoint('platform', { ...all, secret: webhookSecret });
    if (connectWebhookSecret !== undefined) {
      await store.saveWebhookEndpoint('connect', { ...all, secret: connectWebhookSecret });
    }
  }
  const faults = createFaults();
  const log = createRequestLog();
  const stopping = new AbortController();
  // Every hanging request listens.
  setMaxListeners(0, stopping.signal);
  let url = '';
  const context = { store, faults, log, keys: new KeysInUse(), baseUrl: () => url, stopping: stopping.signal };

  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, createApp(context));
  const port = await listen(server, options.port).catch(async (error: unknown) => {
    await store.close();
    throw error;
  });
  url = `http://127.0.0.1:${port}`;

  const courier = createCourier(store, faults);
  const queues = {
    webhook: startQueue(store, 'webhook', DELIVERIES_AT_ONCE, courier.deliver),
    bank: startQueue(store, 'bank', BANK_JOBS_AT_ONCE, (job) => settleJob(store, job)),
  };
  store.onJobs((queue, dueAt) => queues[queue].wake(dueAt));
  for (const queue of Object.values(queues)) queue.wake(Date.now());
  const stopForgetting = forgetOldReplies(store);

  return {
    url,
    port,
    async close() {
      stopForgetting();
      stopping.abort();
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeIdleConnections();
      setTimeout(() => server.closeAllConnections(), CLOSE_WITHIN_MS).unref();
      await courier.stop();
      await Promise.all(Object.values(queues).map((queue) => queue.stop()));
      await closed;
      await store.close();
    },
  };
}

async function listen(server: ReturnType<typeof createServer>, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const address: AddressInfo | string | null = server.address();
  return typeof address === 'object' && address !== null ? address.port : port;
}

function createApp(context: ApiContext): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', 'extended');
  app.get('/healthz', (_req, res) => {
    res.json({ status: 'ok' });
  });
  app.use(stripeJsPages());
  app.use('/sandbox/3ds', threeDSecurePages(context.store));
  app.use('/sandbox/onboarding', onboardingPages(context.store));
  app.use('/sandbox', express.json(), controlRoutes(context));
  app.use('/v1/disputes', express.urlencoded({ extended: true, limit: EVIDENCE_BYTES }));
  app.use('/v1', express.urlencoded({ extended: true }));
  for (const endpoint of ENDPOINTS) {
    const handler = handle(context, endpoint);
    if (endpoint.method === 'GET') app.get(endpoint.path, handler);
    if (endpoint.method === 'POST') app.post(endpoint.path, handler);
    if (endpoint.method === 'DELETE') app.delete(endpoint.path, handler);
  }
  app.use((req, res) => {
    const message = `Unrecognized request URL (${req.method}: ${req.path}). If you are trying to list objects, remove the trailing slash. If you are trying to retrieve an object, make sure you passed a valid (non-empty) identifier in your code.`;
    refuse(res, 404, message);
  });
  app.use(malformed);
  return app;
}

/** Bodies that Express itself could not read; anything else is a defect. */
const malformed: ErrorRequestHandler = (error: unknown, _req, res, next) => {
  if (res.headersSent) {
    next(error);
    return;
  }
  const status = error instanceof Error && 'status' in error && typeof error.status === 'number' ? error.status : 500;
  if (status === 500) console.error('stripe sandbox: defect:', error);
  refuse(res, status, error instanceof Error && status !== 500 ? error.message : 'An unknown error occurred.');
};

function refuse(res: express.Response, status: number, message: string): void {
  const requestId = newId('req');
  const type = status >= 500 ? 'api_error' : 'invalid_request_error';
  res.status(status).set('Request-Id', requestId).type('json').send(errorBody({ type, message }, requestId));
}

/** Does what a bank does later, in one transaction with the removal of the job. */
async function settleJob(store: Store, job: Job): Promise<void> {
  await store.transact(job.account, NO_REQUEST, (tx) => {
    if (tx.unit.unschedule('bank', job)) settle(tx, job);
  });
}

function settle(tx: Tx, { task }: Job): void {
  if (task.kind === 'settle_refund') settleRefund(tx, task.refund);
  if (task.kind === 'expire_authorization') expireAuthorization(tx, task.intent);
  if (task.kind === 'book_charge') bookLateCharge(tx, task.charge);
  if (task.kind === 'announce_funds') announceFunds(tx);
  if (task.kind === 'send_payout') sendPayout(tx, task.payout);
  if (task.kind === 'end_payout') endPayout(tx, task.payout);
  if (task.kind === 'return_payout') returnPayout(tx, task.payout);
  if (task.kind === 'open_dispute') openCardDispute(tx, task.charge);
  if (task.kind === 'decide_dispute') decideDispute(tx, task.dispute);
  if (task.kind === 'miss_deadline') missDeadline(tx, task.dispute);
  if (task.kind === 'close_inquiry') closeInquiry(tx, task.dispute);
}

/**
 * One API request from its first byte to its last, in the order Stripe's own layers run: key, limits, idempotency,
 * parameters, execution. See https://docs.stripe.com/error-low-level
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Request, Response } from 'express';
import { badParameter, errorBody, rateLimited, refusedOnDemand, StripeProblem } from './memory/errors';
import { newId } from './memory/ids';
import type { Store } from './memory/store';
import { PLATFORM } from './memory/tables';
import type { Tx } from './memory/unit-of-work';
import { accountLinkEndpoints } from './objects/account-links';
import { accountEndpoints } from './objects/accounts';
import { balanceEndpoints } from './objects/balance';
import { bankAccountEndpoints } from './objects/bank-accounts';
import { chargeEndpoints } from './objects/charges';
import { customerEndpoints } from './objects/customers';
import { disputeEndpoints } from './objects/disputes';
import { API_VERSION, eventEndpoints } from './objects/events';
import { paymentIntentEndpoints } from './objects/payment-intents';
import { paymentMethodEndpoints } from './objects/payment-methods';
import { payoutEndpoints } from './objects/payouts';
import { refundEndpoints } from './objects/refunds';
import { setupIntentEndpoints } from './objects/setup-intents';
import { connectedAccount } from './objects/standing';
import { transferEndpoints } from './objects/transfers';
import type { Call, Endpoint, KeyKind } from './wire/endpoint';
import { earlierReply, type KeyedRequest, type KeysInUse, keepReply, keyedRequest } from './wire/idempotency';
import { keyKind, requireSecret, shownTo } from './wire/keys';
import type { LoggedRequest, RequestLog } from './wire/request-log';
import type { Faults, RequestFault } from './world/faults';

export const ENDPOINTS: readonly Endpoint[] = [
  ...paymentIntentEndpoints,
  ...setupIntentEndpoints,
  ...chargeEndpoints,
  ...refundEndpoints,
  ...disputeEndpoints,
  ...customerEndpoints,
  ...paymentMethodEndpoints,
  ...accountEndpoints,
  ...bankAccountEndpoints,
  ...accountLinkEndpoints,
  ...transferEndpoints,
  ...payoutEndpoints,
  ...balanceEndpoints,
  ...eventEndpoints,
];

export interface ApiContext {
  store: Store;
  faults: Faults;
  log: RequestLog;
  keys: KeysInUse;
  baseUrl: () => string;
  stopping: AbortSignal;
}

interface Reply {
  status: number;
  body: string;
  headers: Record<string, string>;
}

/** The Express handler of one endpoint. */
export function handle(context: ApiContext, endpoint: Endpoint) {
  return async (req: Request, res: Response): Promise<void> => {
    const requestId = newId('req');
    const facts = { method: req.method, path: req.path, idempotencyKey: req.get('idempotency-key') };
    const fault = context.faults.forRequest(facts);
    const entry = context.log.add(openEntry(req, requestId, fault));
    const begun = performance.now();
    if (fault?.kind === 'drop_before') {
      res.destroy();
      return;
    }
    const reply = await answer(context, endpoint, req, requestId, fault).catch((error: unknown) =>
      context.stopping.aborted ? undefined : refusalOf(error, requestId),
    );
    if (reply === undefined) {
      res.destroy();
      return;
    }
    entry.durationMs = Math.round((performance.now() - begun) * 10) / 10;
    entry.replayed = 'Idempotent-Replayed' in reply.headers;
    if (fault?.kind === 'hang' && fault.when === 'after')
      await sleep(fault.ms, undefined, { signal: context.stopping });
    if (fault?.kind === 'drop_after') res.destroy();
    else {
      entry.status = reply.status;
      send(req, res, reply, requestId, fault);
    }
  };
}

function openEntry(req: Request, requestId: string, fault: RequestFault | undefined): LoggedRequest {
  return {
    at: new Date().toISOString(),
    requestId,
    method: req.method,
    path: req.path,
    account: req.get('stripe-account') ?? null,
    idempotencyKey: req.get('idempotency-key') ?? null,
    status: null,
    replayed: false,
    fault: fault?.kind ?? null,
    durationMs: null,
  };
}

async function answer(
  context: ApiContext,
  endpoint: Endpoint,
  req: Request,
  requestId: string,
  fault: RequestFault | undefined,
): Promise<Reply> {
  const key = keyKind(req.get('authorization'));
  requireSecret(key, endpoint);
  if (fault?.kind === 'rate_limit_429') throw rateLimited(fault.retryAfterSeconds);
  const { store, stopping } = context;
  const account = req.get('stripe-account') ?? PLATFORM;
  if (account !== PLATFORM) connectedAccount(store.read(PLATFORM), account);
  const form: unknown = (req.method === 'POST' ? formOf(req) : req.query) ?? {};
  const keyed = keyedIfPost(req, form);
  const leave = keyed === undefined ? () => {} : context.keys.enter(account, keyed.key);
  try {
    if (fault?.kind === 'hang' && fault.when === 'before') await sleep(fault.ms, undefined, { signal: stopping });
    const perform = (tx: Tx) => {
      const call = { tx, id: param(req, 'id'), sub: param(req, 'sub'), baseUrl: context.baseUrl(), key };
      return execute(endpoint, call, form, keyed, requestId, fault);
    };
    if (req.method === 'GET') return perform(store.read(account));
    return await store.transact(account, { id: requestId, idempotency_key: keyed?.key ?? null }, perform);
  } finally {
    leave();
  }
}

/** @throws StripeProblem for a body that is no form, such as JSON, which would otherwise pass for an empty one */
function formOf(req: Request): unknown {
  if (req.body === undefined && Number(req.get('content-length') ?? 0) > 0) {
    throw badParameter('Invalid request (check that your POST content type is application/x-www-form-urlencoded).', '');
  }
  return req.body;
}

/** Keys have no effect on GET and DELETE, which are idempotent anyway. */
function keyedIfPost(req: Request, form: unknown): KeyedRequest | undefined {
  const key = req.get('idempotency-key');
  return req.method === 'POST' && key ? keyedRequest(key, req.path, form) : undefined;
}

function param(req: Request, name: string): string {
  const value = req.params[name];
  return typeof value === 'string' ? value : '';
}

/** Does the work, or gives the earlier reply again, and keeps the reply in the same transaction. */
function execute(
  endpoint: Endpoint,
  call: Call,
  form: unknown,
  keyed: KeyedRequest | undefined,
  requestId: string,
  fault: RequestFault | undefined,
): Reply {
  const failsAnyway = fault?.kind === 'error_500' || fault?.kind === 'error_500_after';
  const earlier = keyed && earlierReply(call.tx, keyed);
  if (earlier !== undefined && !failsAnyway) {
    const headers = { 'Idempotent-Replayed': 'true', 'Original-Request': earlier.requestId };
    return { status: earlier.status, body: earlier.body, headers };
  }
  // Not before: under a key that is in use or has its reply Stripe refuses nothing anew.
  if (fault?.kind === 'refuse_400') throw refusedOnDemand(fault.code);
  const acts = earlier === undefined && fault?.kind !== 'error_500';
  const reply = acts ? run(endpoint, call, form, requestId) : undefined;
  const given = failsAnyway || reply === undefined ? serverError(requestId) : reply;
  const kept = fault?.kind !== 'error_500' || fault.stored;
  if (keyed !== undefined && kept) keepReply(call.tx, keyed, { status: given.status, body: given.body, requestId });
  return given;
}

function run(endpoint: Endpoint, call: Call, form: unknown, requestId: string): Reply {
  try {
    const outcome = endpoint.execute(call, form);
    if ('problem' in outcome) return refusalOf(outcome.problem, requestId, call.key);
    return { status: 200, body: JSON.stringify(shownTo(call.key, outcome.body)), headers: {} };
  } catch (error) {
    // A refusal before execution keeps nothing: the throw ends the transaction. A refusal after it is kept, without
    // its effects.
    if (!(error instanceof StripeProblem && error.executed)) throw error;
    call.tx.unit.discard();
    return refusalOf(error, requestId, call.key);
  }
}

function refusalOf(error: unknown, requestId: string, key: KeyKind = 'secret'): Reply {
  if (!(error instanceof StripeProblem)) {
    console.error('stripe sandbox: defect:', error);
    return serverError(requestId);
  }
  const headers = { 'Stripe-Should-Retry': 'false', ...error.headers };
  return {
    status: error.status,
    body: errorBody({ ...error.fields, ...shownTo(key, error.fields) }, requestId),
    headers,
  };
}

/** Retrying a stored 500 would only replay it, so Stripe's header tells its SDKs not to. */
function serverError(requestId: string): Reply {
  const message = 'An unknown error occurred.';
  return {
    status: 500,
    body: errorBody({ type: 'api_error', message }, requestId),
    headers: { 'Stripe-Should-Retry': 'false' },
  };
}

function send(req: Request, res: Response, reply: Reply, requestId: string, fault: RequestFault | undefined): void {
  const key = req.get('idempotency-key');
  const body = Buffer.from(reply.body);
  res.writeHead(reply.status, {
    'Content-Type': 'application/json',
    'Content-Length': body.length,
    'Cache-Control': 'no-cache, no-store',
    'Request-Id': requestId,
    'Stripe-Version': req.get('stripe-version') ?? API_VERSION,
    ...(key === undefined ? {} : { 'Idempotency-Key': key }),
    ...reply.headers,
  });
  if (fault?.kind === 'truncate_after') {
    res.write(body.subarray(0, body.length / 2), () => res.destroy());
    return;
  }
  res.end(body);
}

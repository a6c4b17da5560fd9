/** The controls real Stripe does not have: faults, settings, the whole state at once. No key; loopback only. */
import { type Request, type Response, Router } from 'express';
import { z } from 'zod';
import type { Store } from '../memory/store';
import { PLATFORM } from '../memory/tables';
import type { Collection, Tx } from '../memory/unit-of-work';
import { balanceOf } from '../objects/balance';
import type { RequestLog } from '../wire/request-log';
import { type Faults, faultBody } from './faults';

const milliseconds = z
  .int()
  .min(0)
  .max(366 * 24 * 3600 * 1000);

const settingsBody = z.strictObject({
  refundDelayMs: milliseconds.optional(),
  captureWindowMs: milliseconds.optional(),
  fundsDelayMs: milliseconds.optional(),
  asyncCaptureDelayMs: milliseconds.optional(),
});

const webhookEndpointBody = z.strictObject({
  url: z.url({ protocol: /^https?$/ }),
  secret: z.string().min(1),
  enabledEvents: z.array(z.string()).nonempty().default(['*']),
});

interface ControlContext {
  store: Store;
  faults: Faults;
  log: RequestLog;
}

/** Reads a control body, or answers 422 with what is wrong with it. */
function read<T>(schema: z.ZodType<T>, req: Request, res: Response): T | undefined {
  const parsed = schema.safeParse(req.body ?? {});
  if (parsed.success) return parsed.data;
  const errors = parsed.error.issues.map(({ path, message }) => ({ path: path.join('.'), message }));
  res.status(422).json({ error: 'invalid_body', errors });
  return undefined;
}

/** The routes under `/sandbox` but for the 3-D Secure page; README.md shows each with an example. */
export function controlRoutes({ store, faults, log }: ControlContext): Router {
  const router = Router();

  router.get('/faults', (_req, res) => {
    res.json({ faults: faults.list() });
  });
  router.post('/faults', (req, res) => {
    const fault = read(faultBody, req, res);
    if (fault === undefined) return;
    faults.add(fault);
    res.status(201).json({ faults: faults.list() });
  });
  router.delete('/faults', (_req, res) => {
    faults.clear();
    res.status(204).end();
  });

  router.get('/settings', (_req, res) => {
    res.json(store.settings());
  });
  router.post('/settings', async (req, res) => {
    const change = read(settingsBody, req, res);
    if (change === undefined) return;
    await store.saveSettings({ ...store.settings(), ...change });
    res.json(store.settings());
  });

  router.get('/webhook_endpoint', (_req, res) => {
    res.json({ endpoint: store.webhookEndpoint() ?? null, pendingDeliveries: store.countJobs('webhook') });
  });
  router.post('/webhook_endpoint', async (req, res) => {
    const endpoint = read(webhookEndpointBody, req, res);
    if (endpoint === undefined) return;
    await store.saveWebhookEndpoint(endpoint);
    res.json({ endpoint });
  });
  router.delete('/webhook_endpoint', async (_req, res) => {
    await store.saveWebhookEndpoint(undefined);
    res.status(204).end();
  });

  router.get('/state', (_req, res) => {
    res.json(stateOf(store));
  });
  router.get('/requests', (req, res) => {
    const limit = Number(req.query.limit ?? 100);
    res.json({ requests: log.list(Number.isInteger(limit) && limit > 0 ? limit : 100) });
  });
  router.post('/reset', async (_req, res) => {
    await store.reset();
    faults.clear();
    log.clear();
    res.status(204).end();
  });
  return router;
}

/** Everything a reconciliation needs in one consistent picture: Node reads it in one turn, between two commits. */
function stateOf(store: Store) {
  const tx = store.read(PLATFORM);
  const accounts = [...new Set(Array.from(store.funds(), ({ account }) => account))].filter((id) => id !== PLATFORM);
  return {
    payment_intents: all(tx.paymentIntents),
    charges: all(tx.charges),
    refunds: all(tx.refunds),
    transfers: all(tx.transfers),
    transfer_reversals: all(tx.reversals),
    customers: all(tx.customers),
    accounts: all(tx.accounts),
    balance_transactions: all(tx.balanceTransactions),
    balance: balanceOf(tx),
    connected_balances: Object.fromEntries(accounts.map((id) => [id, balanceOf(tx.as(id))])),
    totals: totalsOf(tx),
    pending_webhooks: store.countJobs('webhook'),
  };
}

function all<T extends { id: string }>(collection: Collection<T>): T[] {
  return Array.from(collection.list());
}

interface Totals {
  captured: number;
  fees: number;
  refunded: number;
  transferred: number;
  balance: number;
}

/** Per currency: captured − fees − refunded − transferred = balance, always. Failed refunds and reversals are taken off. */
function totalsOf(tx: Tx): Record<string, Totals> {
  const totals: Record<string, Totals> = {};
  for (const { currency, amount, fee, net, type } of tx.balanceTransactions.list()) {
    const sums = totals[currency] ?? { captured: 0, fees: 0, refunded: 0, transferred: 0, balance: 0 };
    totals[currency] = sums;
    sums.fees += fee;
    sums.balance += net;
    if (type === 'charge') sums.captured += amount;
    if (type === 'refund' || type === 'refund_failure') sums.refunded -= amount;
    if (type === 'transfer' || type === 'transfer_refund') sums.transferred -= amount;
  }
  return totals;
}

/** The controls real Stripe does not have: faults, settings, the whole state at once. No key; loopback only. */
import { Router } from 'express';
import { z } from 'zod';
import type { Store } from '../memory/store';
import type { RequestLog } from '../wire/request-log';
import { connectControls } from './connect-control';
import { readBody } from './control-body';
import { disputeControls } from './dispute-control';
import { type Faults, faultBody } from './faults';
import { stateOf } from './state';

const milliseconds = z
  .int()
  .min(0)
  .max(366 * 24 * 3600 * 1000);

const settingsBody = z.strictObject({
  refundDelayMs: milliseconds.optional(),
  captureWindowMs: milliseconds.optional(),
  fundsDelayMs: milliseconds.optional(),
  asyncCaptureDelayMs: milliseconds.optional(),
  onboarding: z.enum(['skipped', 'required']).optional(),
  payoutPendingMs: milliseconds.optional(),
  payoutTransitMs: milliseconds.optional(),
  payoutReturnMs: milliseconds.optional(),
  disputeDelayMs: milliseconds.optional(),
  disputeDecisionMs: milliseconds.optional(),
});

const webhookEndpointBody = z.strictObject({
  url: z.url({ protocol: /^https?$/ }),
  secret: z.string().min(1),
  enabledEvents: z.array(z.string()).nonempty().default(['*']),
  /** That of connected accounts instead of the platform's own. */
  connect: z.boolean().default(false),
});

interface ControlContext {
  store: Store;
  faults: Faults;
  log: RequestLog;
}

/** The routes under `/sandbox` but for the pages and what Connect adds; README.md shows each with an example. */
export function controlRoutes({ store, faults, log }: ControlContext): Router {
  const router = Router();
  router.use(connectControls(store));
  router.use(disputeControls(store));

  router.get('/faults', (_req, res) => {
    res.json({ faults: faults.list() });
  });
  router.post('/faults', (req, res) => {
    const fault = readBody(faultBody, req, res);
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
    const change = readBody(settingsBody, req, res);
    if (change === undefined) return;
    await store.saveSettings({ ...store.settings(), ...change });
    res.json(store.settings());
  });

  router.get('/webhook_endpoint', (_req, res) => {
    const { platform = null, connect = null } = store.webhookEndpoints();
    res.json({ endpoint: platform, connectEndpoint: connect, pendingDeliveries: store.countJobs('webhook') });
  });
  router.post('/webhook_endpoint', async (req, res) => {
    const given = readBody(webhookEndpointBody, req, res);
    if (given === undefined) return;
    const { connect, ...endpoint } = given;
    await store.saveWebhookEndpoint(connect ? 'connect' : 'platform', endpoint);
    res.json({ endpoint });
  });
  router.delete('/webhook_endpoint', async (_req, res) => {
    await store.saveWebhookEndpoint('platform', undefined);
    await store.saveWebhookEndpoint('connect', undefined);
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

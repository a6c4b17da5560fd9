import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import Stripe from 'stripe';
import { startStripeSandbox } from '../../../dev/stripe-sandbox/server';
import { ProblemError } from '../../../kernel/errors';
import { serviceTokens } from '../../../platform/auth';
import { runService } from '../../../platform/service';
import { createLogger } from '../../../platform/telemetry';
import type { Sagas } from '../../../platform/temporal';
import { definePaymentService, type PaymentOptions } from '../../../services/payment/routes';
import { createStripe } from '../../../services/payment/stripe/door';
import type { Till } from '../../../services/payment/till';
import { freePort } from '../ports';
import { ask, noBus, noSagas, type Reply, startTestService } from '../service';
import { calledByTests } from '../vendors';

export const WEBHOOK_SECRET = 'whsec_only_for_tests';
export const CONNECT_WEBHOOK_SECRET = 'whsec_only_for_tests_of_connect';
export const EUR = (amount: number) => ({ amount, currency: 'EUR' });

export interface Signal {
  workflowId: string;
  name: string;
  argument: unknown;
  /** What its saga is started with again, if it has ended. */
  wokenWith?: unknown;
}

export interface Started {
  workflowId: string;
  input: unknown;
}

/** How long Stripe lets a request hang in tests, and how long the service waits that they call then. */
export const HANG_MS = 450;
const IMPATIENT_MS = 250;

export type PaymentStack = Awaited<ReturnType<typeof startPaymentStack>>;

/** The payment service as it runs, with a Stripe sandbox of its own. Sagas are noted, not run, but for what `onStart` does. */
export async function startPaymentStack({
  onStart,
  ...options
}: PaymentOptions & { onStart?: (started: Started) => void } = {}) {
  const dataDir = await mkdtemp(join(tmpdir(), 'stripe-sandbox-test-'));
  const sandbox = await startStripeSandbox({ port: 0, dataDir });
  const signals: Signal[] = [];
  const started: Started[] = [];
  const temporal = { isDown: false };
  const reach = () => {
    if (temporal.isDown) throw new ProblemError('upstream_unavailable', undefined, { retryAfterSeconds: 2 });
  };
  const sagas: Partial<Sagas> = {
    async start(saga, input) {
      reach();
      const entry = { workflowId: saga.workflowId(input), input };
      started.push(entry);
      onStart?.(entry);
    },
    async signal(workflowId, { name }, argument) {
      reach();
      signals.push({ workflowId, name, argument });
      return true;
    },
    async wake(saga, input, { name }, argument) {
      reach();
      signals.push({ workflowId: saga.workflowId(input), name, argument, wokenWith: input });
    },
  };
  const service = await startTestService(definePaymentService(options), {
    sagas,
    environment: {
      LOG_LEVEL: process.env.TEST_LOG_LEVEL ?? 'silent',
      STRIPE_API_BASE: sandbox.url,
      STRIPE_WEBHOOK_SECRET: WEBHOOK_SECRET,
      STRIPE_CONNECT_WEBHOOK_SECRET: CONNECT_WEBHOOK_SECRET,
      SHUTDOWN_GRACE_SECONDS: '1',
    },
  });
  const { db, sql } = service.database;
  const port = await freePort();
  const impatient = await runService(definePaymentService({ ...options, stripeTimeoutMs: IMPATIENT_MS }), {
    config: { ...service.config, servicePort: { ...service.config.servicePort, payment: port } },
    sagas: { ...noSagas, ...sagas },
    bus: noBus,
  });
  /** What the service's flows work with, for tests that take a part away in the middle. */
  const till: Till = {
    db,
    stripe: calledByTests(
      'stripe',
      createStripe(service.config, createLogger('payment', 'silent'), options.stripeTimeoutMs),
    ),
    feePercent: service.config.PLATFORM_FEE_PERCENT,
    earningsHoldDays: service.config.EARNINGS_HOLD_DAYS,
    minimums: new Map(),
    settling: service.config.SETTLEMENT_CURRENCIES,
  };
  const tokens = serviceTokens(service.config.SERVICE_TOKEN_SECRET);
  const control = async (method: string, path: string, body?: unknown): Promise<Reply> => {
    const reply = await ask(sandbox.url, method, `/sandbox${path}`, body === undefined ? {} : { body });
    if (reply.status >= 300) throw new Error(`sandbox ${path} answered ${reply.status}: ${JSON.stringify(reply.body)}`);
    return reply;
  };

  return {
    service,
    sandbox,
    signals,
    started,
    temporal,
    control,
    /** The SDK, pointed at the sandbox: Stripe's side of things, as its dashboard would do them. */
    stripe: new Stripe('sk_test_dashboard', {
      host: '127.0.0.1',
      port: sandbox.port,
      protocol: 'http',
      maxNetworkRetries: 0,
      telemetry: false,
    }),
    till,
    post: (path: string, key?: string, body?: unknown) =>
      service.internal('POST', `/internal${path}`, { ...(key && { key }), ...(body !== undefined && { body }) }),
    /** The same service once more, which gives Stripe hardly any time: for requests that hang. */
    impatient: {
      post: async (path: string, key?: string, body?: unknown) =>
        ask(`http://127.0.0.1:${port}`, 'POST', `/internal${path}`, {
          ...(key && { key }),
          ...(body !== undefined && { body }),
          token: await tokens.issue(),
        }),
    },
    fault: (fault: Record<string, unknown>) => control('POST', '/faults', fault),
    noFaults: () => control('DELETE', '/faults'),
    async state() {
      return (await control('GET', '/state')).body;
    },
    async webhooksOn() {
      const url = `${service.url}/api/stripe/webhooks`;
      await control('POST', '/webhook_endpoint', { url, secret: WEBHOOK_SECRET });
      await control('POST', '/webhook_endpoint', { url, secret: CONNECT_WEBHOOK_SECRET, connect: true });
    },
    webhooksOff: () => control('DELETE', '/webhook_endpoint'),
    /** What Stripe holds for us, pending money included. */
    async stripeBalance(currency = 'eur'): Promise<number> {
      const { balance } = (await control('GET', '/state')).body;
      const sum = (lines: { amount: number; currency: string }[]) =>
        lines.filter((line) => line.currency === currency).reduce((total, line) => total + line.amount, 0);
      return sum(balance.available) + sum(balance.pending);
    },
    /** The ledger's balance of every account that is not zero, of one currency if it is named: debits positive, credits negative. */
    async ledger(currency?: string): Promise<Record<string, number>> {
      const rows = await sql`
        select account, sum(amount)::int as amount from ledger_entries
        where currency = ${currency ?? null} or ${currency ?? null}::text is null group by account order by account`;
      return Object.fromEntries(rows.filter((row) => row.amount !== 0).map((row) => [row.account, row.amount]));
    },
    /** The types of a stream's events, in order. */
    async events(streamId: string): Promise<string[]> {
      const rows = await sql`select type from events where stream_id = ${streamId} order by version`;
      return rows.map((row) => row.type);
    },
    async close() {
      await sandbox.close(); // first, so that it sends nothing more to the service
      await impatient.close();
      await service.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** A call to Stripe that takes effect there, after which the process dies: nothing more is committed here. */
export function dyingAfter<Given extends unknown[]>(call: (...given: Given) => Promise<unknown>) {
  return async (...given: Given): Promise<never> => {
    await call(...given);
    throw new Error('the process died');
  };
}

/** Calls until the answer is no longer one to retry on, as Temporal does. */
export async function retried(call: () => Promise<Reply>, attempts = 15): Promise<Reply> {
  for (let left = attempts; ; left--) {
    const reply = await call();
    if ((reply.status !== 503 && reply.status !== 429 && reply.status !== 500) || left === 0) return reply;
    await pause(50);
  }
}

/** Waits until `check` gives something true. @throws Error after `withinMs`, ten seconds */
export async function until<T>(
  check: () => Promise<T | false | undefined | null> | T | false | undefined | null,
  withinMs = 10_000,
): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const value = await check();
    if (value) return value;
    if (Date.now() > deadline) throw new Error('what was waited for did not happen');
    await pause(20);
  }
}

/** Where internal operations are called. */
export type Caller = Pick<PaymentStack, 'post'>;

/** Calls under a fault at Stripe until it is answered: first by the impatient service if the fault lets the request hang. */
export async function despite(
  stack: PaymentStack,
  fault: Record<string, unknown>,
  call: (by: Caller) => Promise<Reply>,
  attempts = 40,
): Promise<Reply> {
  await stack.fault(fault);
  const callers: Caller[] = fault.kind === 'hang' ? [stack.impatient] : [];
  return retried(() => call(callers.pop() ?? stack), attempts);
}

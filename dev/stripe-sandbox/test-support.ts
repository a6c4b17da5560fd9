/** What the sandbox's tests share: a real sandbox, the real SDK, a webhook endpoint that listens. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Stripe from 'stripe';
import { type StripeSandbox, startStripeSandbox } from './server';

export const WEBHOOK_SECRET = 'whsec_for_tests';
/** That of connected accounts' events, which the same endpoint takes. */
export const CONNECT_WEBHOOK_SECRET = 'whsec_for_tests_of_connect';

/** A card payment as most tests make it. */
export const CARD_PAYMENT = {
  amount: 4500,
  currency: 'eur',
  payment_method: 'pm_card_visa',
  automatic_payment_methods: { enabled: true, allow_redirects: 'never' as const },
  confirm: true,
};

/** The real SDK, pointed at a sandbox; it never retries, so tests see each reply. */
export function sdkFor(port: number, options: { account?: string; key?: string } = {}): Stripe {
  return new Stripe(options.key ?? 'sk_test_tests', {
    host: '127.0.0.1',
    port,
    protocol: 'http',
    maxNetworkRetries: 0,
    ...(options.account === undefined ? {} : { stripeAccount: options.account }),
  });
}

export function temporaryDirectory(): { directory: string; remove: () => void } {
  const directory = mkdtempSync(path.join(tmpdir(), 'stripe-sandbox-'));
  return { directory, remove: () => rmSync(directory, { recursive: true, force: true }) };
}

export interface Bench {
  sandbox: StripeSandbox;
  stripe: Stripe;
  /** Where its database is. */
  directory: string;
  stop: () => Promise<void>;
}

/** A sandbox with an empty database of its own. */
export async function startBench(webhookUrl?: string): Promise<Bench> {
  const { directory, remove } = temporaryDirectory();
  const sandbox = await startStripeSandbox({
    port: 0,
    dataDir: directory,
    webhookUrl,
    webhookSecret: webhookUrl === undefined ? undefined : WEBHOOK_SECRET,
    connectWebhookSecret: webhookUrl === undefined ? undefined : CONNECT_WEBHOOK_SECRET,
  });
  const stop = async () => {
    await sandbox.close();
    remove();
  };
  return { sandbox, stripe: sdkFor(sandbox.port), directory, stop };
}

interface Delivery {
  event: Stripe.Event;
  signed: 'well' | 'wrongly';
}

export interface Receiver {
  url: string;
  deliveries: Delivery[];
  /** Answers given next, before 200 for the rest. */
  answers: number[];
  types: () => string[];
  stop: () => Promise<void>;
}

/** A webhook endpoint that checks signatures with the SDK and remembers what came. An event of an account is to be signed for Connect. */
export async function startReceiver(port = 0): Promise<Receiver> {
  const { webhooks } = new Stripe('sk_test_receiver');
  const deliveries: Delivery[] = [];
  const answers: number[] = [];
  const server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => {
      const payload = Buffer.concat(chunks).toString();
      try {
        const secret = JSON.parse(payload).account === undefined ? WEBHOOK_SECRET : CONNECT_WEBHOOK_SECRET;
        const event = webhooks.constructEvent(payload, req.headers['stripe-signature'] ?? '', secret);
        const status = answers.shift() ?? 200;
        if (status === 200) deliveries.push({ event, signed: 'well' });
        res.writeHead(status).end();
      } catch {
        deliveries.push({ event: JSON.parse(payload), signed: 'wrongly' });
        res.writeHead(400).end();
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const address = server.address();
  const taken = typeof address === 'object' && address !== null ? address.port : port;
  return {
    url: `http://127.0.0.1:${taken}/webhooks`,
    deliveries,
    answers,
    types: () => deliveries.map(({ event }) => event.type),
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Calls a control endpoint; the body of a 204 is null. */
export async function control(url: string, method: string, pathname: string, body?: unknown) {
  const response = await fetch(new URL(pathname, url), {
    method,
    ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? null : JSON.parse(text) };
}

/** Waits for something to become true, and fails saying what did not. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  withinMs = 15_000,
): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited ${withinMs} ms in vain until ${what}`);
    await sleep(10);
  }
}

/** The error a request is refused with. */
export async function refusal(request: Promise<unknown>): Promise<Stripe.errors.StripeError> {
  try {
    await request;
  } catch (error) {
    if (error instanceof Stripe.errors.StripeError) return error;
    throw error;
  }
  throw new Error('the request was not refused');
}

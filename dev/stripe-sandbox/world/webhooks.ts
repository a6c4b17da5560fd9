/**
 * Delivers events: signed with Stripe's scheme, at least once, in no promised order, until the endpoint answers 2xx.
 * See https://docs.stripe.com/webhooks
 */
import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import Stripe from 'stripe';
import { Agent, request } from 'undici';
import type { Store } from '../memory/store';
import {
  endpointFor,
  type Job,
  type JobTask,
  NO_REQUEST,
  PLATFORM,
  type SandboxEvent,
  type WebhookEndpoint,
} from '../memory/tables';
import type { Faults, WebhookFault } from './faults';

/** Stripe retries "for up to three days with an exponential back off". It does not say how fast it begins. */
const RETRIED_FOR_MS = 3 * 24 * 3600 * 1000;
const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 3600 * 1000;
/** An endpoint that takes longer has failed. */
const ANSWER_WITHIN_MS = 10_000;
/** Enough for a busy demo; more would only queue at the endpoint. */
export const DELIVERIES_AT_ONCE = 32;
const STRIKE_OFF_EVERY_MS = 10;

const { webhooks } = new Stripe('sk_test_sandbox');

interface Forgery {
  secret?: string;
  ageSeconds?: number;
}

/** @returns `deliver` runs one job of the webhook queue; `stop` cuts the deliveries under way, which stay due. */
export function createCourier(store: Store, faults: Faults) {
  const agent = new Agent({ connections: DELIVERIES_AT_ONCE });
  const stopping = new AbortController();
  setMaxListeners(DELIVERIES_AT_ONCE + 1, stopping.signal);
  /** Jobs held back to arrive out of order, by sequence number. */
  const held = new Map<number, Job>();
  const delivered: Job[] = [];
  let striking: Promise<void> | undefined;

  async function deliver(job: Job): Promise<void> {
    if (job.task.kind !== 'deliver') return;
    held.delete(job.seq);
    const endpoint = endpointFor(store.webhookEndpoints(), job.account);
    const event = store.read(job.account).events.find(job.task.event);
    if (endpoint === undefined || event === undefined) return drop(job);
    const fault = job.task.faulted ? undefined : faults.forWebhook(event.type);
    switch (fault?.kind) {
      case 'webhook_lose':
        return drop(job);
      case 'webhook_delay':
      case 'webhook_reorder':
        return hold(job, fault);
      case 'webhook_double':
        await send(endpoint, event);
        break;
    }
    const forgery = forgeryOf(fault);
    const arrived = await send(endpoint, event, forgery);
    if (stopping.signal.aborted && !arrived) return;
    await (arrived ? done(job) : retry(job, event, fault !== undefined));
  }

  async function send(endpoint: WebhookEndpoint, event: SandboxEvent, forgery: Forgery = {}): Promise<boolean> {
    const payload = JSON.stringify(event);
    const timestamp = Math.floor(Date.now() / 1000) - (forgery.ageSeconds ?? 0);
    try {
      const { statusCode, body } = await request(endpoint.url, {
        method: 'POST',
        dispatcher: agent,
        headersTimeout: ANSWER_WITHIN_MS,
        bodyTimeout: ANSWER_WITHIN_MS,
        signal: stopping.signal,
        headers: {
          'content-type': 'application/json; charset=utf-8',
          'user-agent': 'Stripe/1.0 (+https://stripe.com/docs/webhooks)',
          'stripe-signature': webhooks.generateTestHeaderString({
            payload,
            timestamp,
            secret: forgery.secret ?? endpoint.secret,
          }),
        },
        body: payload,
      });
      await body.dump();
      return statusCode >= 200 && statusCode < 300;
    } catch {
      // Refused, reset, timed out: one failed attempt, whatever the reason.
      return false;
    }
  }

  /** Deliveries are struck off a few at a time: one commit each would cost more than the delivery. */
  function done(job: Job): Promise<void> {
    delivered.push(job);
    striking ??= sleep(STRIKE_OFF_EVERY_MS).then(strikeOff);
    return striking;
  }

  async function strikeOff(): Promise<void> {
    striking = undefined;
    const jobs = delivered.splice(0);
    const newest = Math.max(...jobs.map(({ seq }) => seq));
    const overtaken = [...held.values()].filter(({ seq }) => seq < newest);
    await store.transact(PLATFORM, NO_REQUEST, (tx) => {
      for (const job of jobs) {
        if (!tx.unit.unschedule('webhook', job) || job.task.kind !== 'deliver') continue;
        const { events } = tx.as(job.account);
        const event = events.find(job.task.event);
        if (event !== undefined) events.save({ ...event, pending_webhooks: 0 });
      }
      for (const job of overtaken) {
        if (tx.unit.unschedule('webhook', job)) {
          tx.unit.schedule('webhook', tx.unit.now, job.account, job.task, job.seq);
        }
      }
    });
  }

  async function retry(job: Job, event: SandboxEvent, faulted: boolean): Promise<void> {
    if (job.task.kind !== 'deliver') return;
    const { attempt } = job.task;
    const pause = Math.min(FIRST_RETRY_MS * 2 ** attempt, LONGEST_RETRY_MS);
    if (Date.now() + pause > event.created * 1000 + RETRIED_FOR_MS) return drop(job);
    const again = { ...job.task, attempt: attempt + 1, faulted: job.task.faulted || faulted };
    await move(job, Date.now() + pause, again);
  }

  async function hold(job: Job, { kind, ms }: Extract<WebhookFault, { ms: number }>): Promise<void> {
    if (job.task.kind !== 'deliver') return;
    const later: Job = { ...job, dueAt: Date.now() + ms, task: { ...job.task, faulted: true } };
    if (kind === 'webhook_reorder') held.set(job.seq, later);
    await move(job, later.dueAt, later.task);
  }

  async function move(job: Job, dueAt: number, task: JobTask): Promise<void> {
    await store.transact(job.account, NO_REQUEST, ({ unit }) => {
      if (unit.unschedule('webhook', job)) unit.schedule('webhook', dueAt, job.account, task, job.seq);
    });
  }

  async function drop(job: Job): Promise<void> {
    await store.transact(job.account, NO_REQUEST, ({ unit }) => unit.unschedule('webhook', job));
  }

  return {
    deliver,
    async stop(): Promise<void> {
      stopping.abort();
      await agent.destroy();
    },
  };
}

function forgeryOf(fault: WebhookFault | undefined): Forgery {
  if (fault?.kind === 'webhook_bad_signature') return { secret: 'whsec_not_the_secret' };
  if (fault?.kind === 'webhook_stale_timestamp') return { ageSeconds: fault.ageSeconds };
  return {};
}

import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { z } from 'zod';
import { type Order, type Outcome, outcomeSchema, SUBJECT } from './order';
import type { PlannedOrder } from './orders';
import type { People } from './people';

/** What became of one request, as its client saw it. */
export interface Sample {
  planned: PlannedOrder;
  /** The id that the answer names; undefined without an answer. */
  bookingId: string | undefined;
  latencyMs: number;
  outcome: Outcome | { outcome: 'failed'; how: string };
}

export type Ask = (order: Order) => Promise<{ bookingId: string; outcome: Outcome }>;

export interface Load {
  samples: Sample[];
  /** From the first request to the last answer. */
  tookMs: number;
}

const ANSWER_WITHIN_MS = 60_000;

/** `clients` clients, each asking again as soon as it is answered. */
export async function closedLoop(ask: Ask, planned: PlannedOrder[], clients: number): Promise<Load> {
  const queue = planned.values();
  const samples: Sample[] = [];
  const began = performance.now();
  await Promise.all(
    Array.from({ length: clients }, async () => {
      for (const one of queue) samples.push(await sampleOf(ask, one, performance.now()));
    }),
  );
  return { samples, tookMs: performance.now() - began };
}

/** Requests at a fixed rate, whether or not earlier ones are answered. Latency counts from when a request was due. */
export async function openLoop(ask: Ask, planned: PlannedOrder[], perSecond: number): Promise<Load> {
  const began = performance.now();
  const samples = await Promise.all(
    planned.map(async (one, index) => {
      const due = began + (index * 1_000) / perSecond;
      await sleep(Math.max(0, due - performance.now()));
      return sampleOf(ask, one, due);
    }),
  );
  return { samples, tookMs: performance.now() - began };
}

async function sampleOf(ask: Ask, planned: PlannedOrder, since: number): Promise<Sample> {
  try {
    const { bookingId, outcome } = await ask({ ...planned.order, requestedAt: new Date().toISOString() });
    return { planned, bookingId, latencyMs: performance.now() - since, outcome };
  } catch (error) {
    const how = error instanceof Error ? error.message : String(error);
    return { planned, bookingId: undefined, latencyMs: performance.now() - since, outcome: { outcome: 'failed', how } };
  }
}

// There are as many connections as clients, so that requests wait at the gateway and not here.
const dispatcher = new Agent({ headersTimeout: ANSWER_WITHIN_MS, bodyTimeout: ANSWER_WITHIN_MS });

/** Asks the process of an engine. */
export function askHost(url: string): Ask {
  return async (order) => {
    const { statusCode, body } = await request(url, { dispatcher, method: 'POST', body: JSON.stringify(order) });
    if (statusCode !== 200) throw new Error(`The engine answered ${statusCode}: ${await body.text()}`);
    return { bookingId: order.bookingId, outcome: outcomeSchema.parse(await body.json()) };
  };
}

const bookingSchema = z.object({ id: z.uuid(), status: z.string(), statusReason: z.union([z.string(), z.null()]) });
const codeSchema = z.looseObject({ code: z.string() });
const refusalSchema = z.object({ code: z.string(), bookingId: z.uuid() });

const ASK_AGAIN_MS = 500;

/** One answer of `POST /api/bookings`. */
export interface Reply {
  statusCode: number;
  hasRetryAfter: boolean;
  body: unknown;
}

/**
 * Sends the request once. The service gives the booking an id of its own; the order's id is the idempotency key.
 * @throws Error when there is no answer
 */
export async function postBooking(url: string, people: People, order: Order): Promise<Reply> {
  const { studentId, tutorId, scheduledAt, durationMinutes, paymentMethodId } = order;
  const reply = await request(`${url}/api/bookings`, {
    dispatcher,
    method: 'POST',
    headers: {
      authorization: `Bearer ${await people.token(studentId, 'student')}`,
      'content-type': 'application/json',
      'idempotency-key': order.bookingId,
    },
    body: JSON.stringify({ tutorId, subject: SUBJECT, scheduledAt, durationMinutes, paymentMethodId }),
  });
  const body: unknown = await reply.body.json();
  return { statusCode: reply.statusCode, hasRetryAfter: reply.headers['retry-after'] !== undefined, body };
}

/** Whether a good client asks again under the same key. */
export function isLate({ statusCode, body }: Reply): boolean {
  if (statusCode === 202) return bookingSchema.safeParse(body).data?.status === 'pending';
  return statusCode === 503 || codeSchema.safeParse(body).data?.code === 'idempotency_in_progress';
}

/** What an answer that is not late says became of the booking. @throws Error when it says something else */
export function outcomeOfReply({ statusCode, body }: Reply): { bookingId: string; outcome: Outcome } {
  if (statusCode === 201 || statusCode === 202) {
    const booking = bookingSchema.parse(body);
    // A request that was answered 202 and refused later shows the booking that came to nothing.
    if (booking.status === 'cancelled') {
      return { bookingId: booking.id, outcome: { outcome: 'refused', code: booking.statusReason ?? 'cancelled' } };
    }
    if (booking.status !== 'confirmed') throw new Error(`The booking is ${booking.status}`);
    return { bookingId: booking.id, outcome: { outcome: 'confirmed' } };
  }
  const refusal = refusalSchema.safeParse(body);
  if (!refusal.success) throw new Error(`The gateway answered ${statusCode}`);
  return { bookingId: refusal.data.bookingId, outcome: { outcome: 'refused', code: refusal.data.code } };
}

/** Asks the product's public endpoint as a good client does: on 202 and 503 it asks again under the same key. */
export function askGateway(url: string, people: People): Ask {
  return async (order) => {
    const deadline = performance.now() + ANSWER_WITHIN_MS;
    let reply = await postBooking(url, people, order);
    while (isLate(reply) && performance.now() < deadline) {
      await sleep(ASK_AGAIN_MS);
      reply = await postBooking(url, people, order);
    }
    return outcomeOfReply(reply);
  };
}

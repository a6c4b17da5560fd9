import { setTimeout as sleep } from 'node:timers/promises';
import { askGateway, closedLoop, type Load, type Sample } from '../load';
import { versionsOf } from '../machine';
import { drained } from '../measure';
import type { PlannedOrder } from '../orders';
import { createOrders, type Orders } from '../orders';
import { makePeople, type People } from '../people';
import { type Stack, type StackOptions, startStack } from '../stack';
import { contradictionsAtStripe, contradictionsOfRun } from '../verify';
import type { ScenarioOptions } from './scenario';

/** A platform with people who book, for one scenario. */
export interface Stage {
  stack: Stack;
  people: People;
  orders: Orders;
  gateway: string;
  versions: Record<string, string>;
  /**
   * Lets `clients` clients at once make `count` bookings. Each client asks again until it is told what became of its
   * booking. Resolves when the last mail was sent.
   */
  book(count: number, clients: number): Promise<Load & { donePerSecond: number }>;
}

const PEOPLE = { students: 210, tutors: 100 };
const WARM_UP = { bookings: 40, clients: 4 };
const SETTLE_MS = 60_000;

/** Starts a platform of `npm start`'s processes, works with it and stops it. */
export async function onStack<T>(
  { say, signal }: ScenarioOptions,
  options: Partial<StackOptions>,
  work: (stack: Stack) => Promise<T>,
): Promise<T> {
  say('Starting the platform');
  const heard = (line: string) => {
    if (!line.startsWith('[')) say(`  ${line}`);
  };
  const stack = await startStack({ say: heard, faults: false, ...options });
  const unlessTold = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  unlessTold.catch(() => undefined);
  try {
    return await Promise.race([work(stack), unlessTold]);
  } finally {
    await stack.stop();
  }
}

/** The same with people who book, when it is warm. */
export async function onStage<T>(
  scenario: ScenarioOptions,
  options: Partial<StackOptions>,
  work: (stage: Stage) => Promise<T>,
): Promise<T> {
  return onStack(scenario, options, async (stack) => {
    const people = await makePeople(stack, PEOPLE);
    const orders = createOrders(stack, people);
    const gateway = stack.platform.urls.gateway;
    const book = async (count: number, clients: number) => {
      const planned = await orders.next(count, { stored: false });
      const began = performance.now();
      const load = await closedLoop(askGateway(gateway, people), planned, clients);
      await drained(stack, load);
      return { ...load, donePerSecond: (count * 1_000) / (performance.now() - began) };
    };
    await book(WARM_UP.bookings, WARM_UP.clients);
    const worked = await work({ stack, people, orders, gateway, versions: await versionsOf(stack), book });
    await people.close();
    return worked;
  });
}

const LOOK_EVERY_MS = 250;

/** How many requests are stored whose booking is neither made nor refused, and how many mails are still to be sent. */
export async function unsettled({ stack }: Stage): Promise<{ requests: number; mails: number }> {
  const [[requests], [mails]] = await Promise.all([
    stack.database('booking')<{ n: number }[]>`
      select count(*)::int as n from booking_requests r left join bookings b using (id)
      where r.refusal is null and (b.id is null or b.status = 'pending')`,
    stack.database('notification')<{ n: number }[]>`
      select count(*)::int as n from notifications where status <> 'sent'`,
  ]);
  return { requests: requests?.n ?? 0, mails: mails?.n ?? 0 };
}

/** Waits until every request that was stored is settled. @returns the milliseconds; undefined when it took longer than `withinMs` */
export async function untilSettled(stage: Stage, withinMs: number): Promise<number | undefined> {
  const began = performance.now();
  while (performance.now() - began < withinMs) {
    if ((await unsettled(stage)).requests === 0) return performance.now() - began;
    await sleep(LOOK_EVERY_MS);
  }
  return undefined;
}

/**
 * Everything that does not agree: each booking of the platform with its slot, payment, ledger and mails, all of them with Stripe,
 * and what clients were told (`told`, by booking) with what is so.
 */
export async function contradictions(stage: Stage, told: readonly Sample[]): Promise<string[]> {
  const deadline = performance.now() + SETTLE_MS;
  for (;;) {
    // What does not agree yet gets a minute: the last mails and undos may still be under way.
    const found = await look(stage, told);
    if (found.length === 0 || performance.now() > deadline) return found;
    await sleep(2_000);
  }
}

async function look(stage: Stage, told: readonly Sample[]): Promise<string[]> {
  const { stack } = stage;
  const rows = await stack.database('booking')<
    { id: string; scheduledAt: Date; status: string | null; code: string | null }[]
  >`
    select r.id, r.scheduled_at as "scheduledAt", b.status, coalesce(r.refusal->>'code', b.status_reason) as code
    from booking_requests r left join bookings b using (id)`;
  const stored = new Map(rows.map((row) => [row.id, row]));
  const wrong: string[] = [];
  for (const { bookingId, outcome } of told) {
    const row = bookingId === undefined ? undefined : stored.get(bookingId);
    if (!row) wrong.push(`a client was told ${JSON.stringify(outcome)}, and there is no such booking`);
    else if ((outcome.outcome === 'confirmed') !== (row.status === 'confirmed'))
      wrong.push(`booking ${row.id}, answered ${outcome.outcome}: it is ${row.status}`);
  }
  const samples = rows.map(({ id, scheduledAt, status, code }): Sample => {
    const declined = status === 'cancelled';
    const outcome =
      status === 'confirmed'
        ? { outcome: 'confirmed' as const }
        : { outcome: 'refused' as const, code: code ?? `nobody knows why (${status})` };
    return { bookingId: id, latencyMs: 0, outcome, planned: plannedOf(id, scheduledAt, declined) };
  });
  const { byBooking, overall } = await contradictionsAtStripe(stack);
  return [
    ...wrong,
    ...(await contradictionsOfRun(stack, samples)),
    ...overall,
    ...[...byBooking].map(([id, sentence]) => `booking ${id}: ${sentence}`),
  ];
}

/** As much of an order as the verification looks at. */
function plannedOf(bookingId: string, scheduledAt: Date, declined: boolean): PlannedOrder {
  const order = { bookingId, studentId: '', tutorId: '', durationMinutes: 60, paymentMethodId: '', requestedAt: '' };
  return { declined, order: { ...order, scheduledAt: scheduledAt.toISOString() } };
}

import { setTimeout as sleep } from 'node:timers/promises';
import { cpuBetween, cpuEach, cpuTimes } from './cpu';
import { type EngineName, isHosted } from './engines';
import { type Ask, askGateway, askHost, closedLoop, type Load, openLoop } from './load';
import type { Orders } from './orders';
import type { People } from './people';
import { startProfile } from './profile';
import type { Arrival, Run } from './results';
import type { Stack } from './stack';
import { percentile } from './stats';
import { contradictionsOfRun } from './verify';

export interface MeasuredRun {
  run: Run;
  bookingIds: string[];
}

export interface Stage {
  /** Where to write profiles; undefined: none are made. */
  profileFolder: string | undefined;
  stack: Stack;
  people: People;
  orders: Orders;
}

const WARM_UP = 20;
const DRAIN_MS = 120_000;
const LOOK_EVERY_MS = 100;

/** Starts the engine, warms it up, lets it make the bookings, waits until its last mail was sent, and checks all of it. */
export async function measure(
  stage: Stage,
  engine: EngineName,
  plan: { arrival: Arrival; bookings: number; round: number },
): Promise<MeasuredRun> {
  const { stack, orders } = stage;
  const host = isHosted(engine) ? await stack.startHost(engine) : undefined;
  try {
    const ask = host ? askHost(host.url) : askGateway(stack.platform.urls.gateway, stage.people);
    const options = { stored: host !== undefined };
    const warm = await loadOf(ask, await orders.next(WARM_UP, options), { kind: 'closed', clients: 4 });
    await drained(stack, warm);
    const planned = await orders.next(plan.bookings, options);
    const endProfile =
      stage.profileFolder &&
      startProfile(stack.processes(), stage.profileFolder, `${engine}-${fileName(plan.arrival)}`);
    const before = cpuTimes(stack.processes());
    const began = performance.now();
    const load = await loadOf(ask, planned, plan.arrival);
    await drained(stack, load);
    const doneMs = performance.now() - began;
    const cpu = cpuBetween(before, cpuTimes(stack.processes()));
    if (endProfile) await endProfile();
    const latencies = load.samples.map(({ latencyMs }) => latencyMs);
    const contradictions = await contradictionsOfRun(stack, [...warm.samples, ...load.samples]);
    const temporal = await temporalCosts(stage, engine, load);
    return {
      run: {
        engine,
        arrival: plan.arrival,
        round: plan.round,
        bookings: plan.bookings,
        answeredPerSecond: (plan.bookings * 1_000) / load.tookMs,
        donePerSecond: (plan.bookings * 1_000) / doneMs,
        p50: percentile(latencies, 0.5),
        p95: percentile(latencies, 0.95),
        p99: percentile(latencies, 0.99),
        cpu: cpuEach(cpu, plan.bookings),
        ...(temporal && { temporal }),
        contradictions,
      },
      bookingIds: [...warm.samples, ...load.samples].flatMap(({ bookingId }) => bookingId ?? []),
    };
  } finally {
    await host?.stop();
  }
}

function loadOf(ask: Ask, planned: Parameters<typeof closedLoop>[1], arrival: Arrival): Promise<Load> {
  return arrival.kind === 'closed'
    ? closedLoop(ask, planned, arrival.clients)
    : openLoop(ask, planned, arrival.perSecond);
}

/**
 * Waits until both mails of every confirmed booking were sent. The verification names mails that were not sent in
 * time.
 */
export async function drained(stack: Stack, { samples }: Load): Promise<void> {
  const ids = samples.flatMap(({ bookingId, outcome }) =>
    bookingId !== undefined && outcome.outcome === 'confirmed' ? [bookingId] : [],
  );
  const deadline = performance.now() + DRAIN_MS;
  while (performance.now() < deadline) {
    const [row] = await stack.database('notification')<{ sent: number }[]>`
      select count(*)::int as sent from notifications where booking_id = any(${ids}) and status = 'sent'`;
    if ((row?.sent ?? 0) >= ids.length * 2) return;
    await sleep(LOOK_EVERY_MS);
  }
}

const fileName = (arrival: Arrival) =>
  arrival.kind === 'closed' ? `k${arrival.clients}` : `${arrival.perSecond}-a-second`;

const WORKFLOW_ID: Partial<Record<EngineName, (bookingId: string) => string>> = {
  ours: (id) => `booking:${id}`,
  gateway: (id) => `booking:${id}`,
  'gateway-together': (id) => `booking:${id}`,
  naive: (id) => `naive:${id}`,
  tutorial: (id) => `tutorial:${id}`,
};
const HISTORIES = 15;

async function temporalCosts({ stack }: Stage, engine: EngineName, { samples }: Load): Promise<Run['temporal']> {
  const workflowId = WORKFLOW_ID[engine];
  if (!workflowId) return undefined;
  const ids = samples.flatMap(({ bookingId, outcome }) =>
    bookingId !== undefined && outcome.outcome === 'confirmed' ? [bookingId] : [],
  );
  const events: number[] = [];
  const tasks: number[] = [];
  let eager = 0;
  for (const id of ids.slice(-HISTORIES)) {
    const history = await stack.temporal.workflow.getHandle(workflowId(id)).fetchHistory();
    events.push(history.events?.length ?? 0);
    if (history.events?.[0]?.workflowExecutionStartedEventAttributes?.eagerExecutionAccepted) eager += 1;
    tasks.push(history.events?.filter((event) => event.workflowTaskCompletedEventAttributes).length ?? 0);
  }
  return {
    events: percentile(events, 0.5),
    workflowTasks: percentile(tasks, 0.5),
    eager: eager / Math.max(1, events.length),
  };
}

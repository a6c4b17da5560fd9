import { setTimeout as sleep } from 'node:timers/promises';
import { cpuBetween, cpuEach, cpuTimes } from '../cpu';
import { askGateway, closedLoop } from '../load';
import { median } from '../stats';
import { FULL_SCALE } from './names';
import type { Finding, RunScenario, ScenarioOptions } from './scenario';
import { contradictions, onStage, type Stage } from './stage';

// The scenarios over bookings that wait: confirmed, each a saga that sleeps until its reminder.

const DEFAULTS = FULL_SCALE.open;
const FILL_CLIENTS = 64;
/** Of each measured round; fewer where few bookings wait. */
const MEASURED = { most: 300, share: 0.1 };
const MEASURED_ROUNDS = 3;
/** One card in ten is declined, and such a booking does not wait. */
const CONFIRMED_SHARE = 0.9;
const FILL_STEP = 2_000;
const RESTARTS = 3;
const READY_WITHIN_MS = 120_000;

export const waiting: RunScenario = async (options, wanted) => {
  const { say, scale } = options;
  const count = scale.count ?? DEFAULTS.count;
  const clients = scale.clients ?? DEFAULTS.clients;
  return onStage(options, {}, async (stage) => {
    const isOpen = wanted.has('open');
    const bookings = Math.min(MEASURED.most, Math.ceil(count * MEASURED.share));
    // What is compiled and cached with use is so before the first measured round.
    if (isOpen) await stage.book(bookings, clients);
    const without = isOpen ? await throughput(stage, bookings, clients) : undefined;
    if (without) say(`${without.perSecond.toFixed(1)} bookings a second with none that wait: ${cpuText(without.cpu)}`);
    await fill(stage, count, options);
    const open = await openCount(stage);
    const findings: Finding[] = [];
    const add = (scenario: 'open' | 'restart', figures: Record<string, number>) =>
      findings.push({ scenario, scale: { count, clients }, figures, contradictions: [], versions: stage.versions });
    if (without) {
      const beside = await throughput(stage, bookings, clients);
      say(`${beside.perSecond.toFixed(1)} bookings a second beside ${open} that wait: ${cpuText(beside.cpu)}`);
      add('open', {
        ...{ open, without: without.perSecond, beside: beside.perSecond, ratio: beside.perSecond / without.perSecond },
        ...named(without.cpu, 'without'),
        ...named(beside.cpu, 'beside'),
      });
    }
    if (wanted.has('restart')) add('restart', { open, ...(await restarts(stage, options)) });
    const wrong = await contradictions(stage, []);
    return findings.map((finding) => ({ ...finding, contradictions: wrong }));
  });
};

interface Throughput {
  /** The median of a few rounds. */
  perSecond: number;
  /** Milliseconds of processor time for one booking of all rounds, by process: it tells what grew from what the machine lent to others. */
  cpu: Record<string, number>;
}

async function throughput(stage: Stage, bookings: number, clients: number): Promise<Throughput> {
  const processes = stage.stack.processes();
  const before = cpuTimes(processes);
  const rounds: number[] = [];
  while (rounds.length < MEASURED_ROUNDS) rounds.push((await stage.book(bookings, clients)).donePerSecond);
  const cpu = cpuEach(cpuBetween(before, cpuTimes(processes)), bookings * MEASURED_ROUNDS);
  return { perSecond: median(rounds), cpu };
}

const named = (cpu: Record<string, number>, when: string) =>
  Object.fromEntries(Object.entries(cpu).map(([name, ms]) => [`processor time of ${name} ${when}`, ms]));

const cpuText = (cpu: Record<string, number>) =>
  Object.entries(cpu)
    .map(([name, ms]) => `${name} ${ms.toFixed(1)} ms`)
    .join(', ');

async function openCount({ stack }: Stage): Promise<number> {
  const [row] = await stack.database('booking')<{ n: number }[]>`
    select count(*)::int as n from bookings where status = 'confirmed'`;
  return row?.n ?? 0;
}

/** Books by the public endpoint until so many wait. */
async function fill(stage: Stage, count: number, { say, signal }: ScenarioOptions): Promise<void> {
  for (let open = await openCount(stage); open < count; open = await openCount(stage)) {
    signal.throwIfAborted();
    say(`${open} of ${count} bookings wait`);
    await stage.book(Math.min(FILL_STEP, Math.ceil((count - open) / CONFIRMED_SHARE)), FILL_CLIENTS);
  }
}

/** Kills the workers, which the supervisor starts again, and books as soon as they are ready. Medians in seconds. */
async function restarts(
  { stack, orders, people, gateway }: Stage,
  { say }: ScenarioOptions,
): Promise<Record<string, number>> {
  const ready: number[] = [];
  const first: number[] = [];
  const meanwhile: number[] = [];
  const ask = askGateway(gateway, people);
  for (let time = 0; time < RESTARTS; time++) {
    // Neither card is declined: both bookings are to be confirmed.
    const planned = (await orders.next(4, { stored: false })).filter(({ declined }) => !declined);
    const killed = performance.now();
    const pid = workersOf(stack)?.pid;
    await stack.platform.kill('workers');
    const during = closedLoop(ask, planned.slice(0, 1), 1).then(() => performance.now() - killed);
    while (workersOf(stack)?.state !== 'ready' || workersOf(stack)?.pid === pid) {
      if (performance.now() - killed > READY_WITHIN_MS) throw new Error('The workers do not come back');
      await sleep(5);
    }
    const readyAt = performance.now();
    const { samples } = await closedLoop(ask, planned.slice(1, 2), 1);
    const [sample] = samples;
    if (sample?.outcome.outcome !== 'confirmed')
      throw new Error(`The first booking was ${JSON.stringify(sample?.outcome)}`);
    ready.push((readyAt - killed) / 1_000);
    first.push(sample.latencyMs / 1_000);
    meanwhile.push((await during) / 1_000);
    say(`Ready ${ready.at(-1)?.toFixed(2)} s after SIGKILL, a booking confirmed ${first.at(-1)?.toFixed(2)} s later`);
  }
  return {
    ...{ readySeconds: median(ready), firstSeconds: median(first), firstMostSeconds: Math.max(...first) },
    requestedMeanwhileSeconds: median(meanwhile),
  };
}

const workersOf = (stack: Stage['stack']) => stack.platform.children().find(({ name }) => name === 'workers');

import { setTimeout as sleep } from 'node:timers/promises';
import { type CpuTimes, cpuEach, cpuSum } from '../cpu';
import { askGateway, closedLoop } from '../load';
import { median } from '../stats';
import { FULL_SCALE } from './names';
import type { Finding, RunScenario, ScenarioOptions } from './scenario';
import { inTurn, sideOf } from './side';
import { contradictions, onStage, type Stage } from './stage';

// The scenarios over bookings that wait: confirmed, each a saga that sleeps until its reminder.

const DEFAULTS = FULL_SCALE.open;
const FILL_CLIENTS = 64;
/** The bookings of each measured round; fewer where few bookings wait. */
const MEASURED = { most: 200, share: 0.1 };
/** An even number, see `inTurn`. */
const MEASURED_PAIRS = 6;
/** One card in ten is declined, and such a booking does not wait. */
const CONFIRMED_SHARE = 0.9;
const FILL_STEP = 2_000;
const RESTARTS = 3;
const READY_WITHIN_MS = 120_000;

export const waiting: RunScenario = async (options, wanted) => {
  const { scale } = options;
  const count = scale.count ?? DEFAULTS.count;
  const clients = scale.clients ?? DEFAULTS.clients;
  return onStage(options, {}, async (stage) => {
    await fill(stage, count, options);
    const open = await openCount(stage);
    const finding = (scenario: 'open' | 'restart', figures: Record<string, number>, wrong: string[]): Finding => ({
      scenario,
      scale: { count, clients },
      figures: { open, ...figures },
      contradictions: wrong,
      versions: stage.versions,
    });
    const beside = wanted.has('open')
      ? await besideAnother(stage, Math.min(MEASURED.most, Math.ceil(count * MEASURED.share)), clients, options)
      : undefined;
    const restarted = wanted.has('restart') ? await restarts(stage, options) : undefined;
    const wrong = await contradictions(stage, []);
    return [
      ...(beside ? [finding('open', beside.figures, [...wrong, ...beside.contradictions])] : []),
      ...(restarted ? [finding('restart', restarted, wrong)] : []),
    ];
  });
};

/** Measures `full` and a second platform where nothing waits, in turn. */
async function besideAnother(
  full: Stage,
  bookings: number,
  clients: number,
  options: ScenarioOptions,
): Promise<Pick<Finding, 'figures' | 'contradictions'>> {
  return onStage(options, {}, async (empty) => {
    const without = sideOf(empty, bookings, clients);
    const beside = sideOf(full, bookings, clients);
    // Code is compiled and caches are filled before the first measured round.
    for (const { stage } of [without, beside]) await stage.book(bookings, clients);
    const ratios: number[] = [];
    await inTurn(without, beside, MEASURED_PAIRS, () => {
      const [alone = 0, amid = 0] = [without, beside].map(({ perSecond }) => perSecond.at(-1));
      ratios.push(amid / alone);
      options.say(`${amid.toFixed(1)} a second beside those that wait, ${alone.toFixed(1)} without`);
    });
    return {
      figures: {
        without: median(without.perSecond),
        beside: median(beside.perSecond),
        pairs: MEASURED_PAIRS,
        ratio: median(ratios),
        ratioLeast: Math.min(...ratios),
        ratioMost: Math.max(...ratios),
        openWithout: await openCount(empty),
        ...named(cpuEach(cpuSum(without.cpu), bookings * MEASURED_PAIRS), 'without'),
        ...named(cpuEach(cpuSum(beside.cpu), bookings * MEASURED_PAIRS), 'beside'),
      },
      contradictions: await contradictions(empty, []),
    };
  });
}

const named = (cpu: CpuTimes, when: string) =>
  Object.fromEntries(Object.entries(cpu).map(([name, ms]) => [`processor time of ${name} ${when}`, ms]));

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
    readySeconds: median(ready),
    firstSeconds: median(first),
    firstMostSeconds: Math.max(...first),
    requestedMeanwhileSeconds: median(meanwhile),
  };
}

const workersOf = (stack: Stage['stack']) => stack.platform.children().find(({ name }) => name === 'workers');

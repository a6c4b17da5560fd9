import { setTimeout as sleep } from 'node:timers/promises';
import { commitTimes, noteCommits } from '../bus/commits';
import { delays, perSecond } from '../bus/delays';
import { PLAIN_PEOPLE, startPlainPoll } from '../bus/plain-poll';
import { renameAll } from '../bus/renames';
import { listenTo, silence } from '../bus/unheard';
import { cpuBetween, cpuTimes } from '../cpu';
import { versionsOf } from '../machine';
import { makeUsers } from '../people';
import type { Stack } from '../stack';
import { percentile } from '../stats';
import { BUS_WAYS, FULL_SCALE, wayFigure } from './names';
import type { RunScenario } from './scenario';
import { onStack } from './stage';

const DEFAULTS = FULL_SCALE['bus-latency'];
/** Services that have just started are slow, and so is the first look of a poll. */
const WARM_UP_SECONDS = 5;
const ARRIVED_WITHIN_MS = 60_000;
const LOOK_EVERY_MS = 250;
/** Of the rate that was asked for; with less the figures are those of another load. */
const LEAST_RATE = 0.95;

/** From the commit of an event to the commit of the row that a read model keeps of it. */
export const busLatency: RunScenario = async (options) => {
  const { say, signal, scale } = options;
  const { rate, seconds } = { rate: scale.rate ?? DEFAULTS.rate, seconds: scale.seconds ?? DEFAULTS.seconds };
  return onStack(options, {}, async (stack) => {
    await noteCommits(stack);
    const ear = await listenTo(stack);
    const plain = await startPlainPoll({ identity: stack.database('identity'), booking: stack.database('booking') });
    say(`${rate} people a second change their names for ${seconds} s, with notifications`);
    const notified = await rename(stack, { rate, seconds });
    signal.throwIfAborted();
    await silence(stack);
    // Only now: until then a relay may still have had something to tell.
    const heard = ear.heard();
    say('The same without notifications');
    const unheard = await rename(stack, { rate, seconds });
    const heardThen = ear.heard() - heard;
    await plain.stop();
    const delaysOf = { notified: notified.bus, looking: unheard.bus, plain: notified.plain };
    const figures = {
      ...Object.fromEntries(
        BUS_WAYS.flatMap((way) => [...spreadOf(delaysOf[way])].map(([of, ms]) => [wayFigure(way, of), ms])),
      ),
      p50OfPlain: percentile(notified.bus, 0.5) / percentile(notified.plain, 0.5),
      p99OfPlain: percentile(notified.bus, 0.99) / percentile(notified.plain, 0.99),
      perSecond: notified.perSecond,
      perSecondLooking: unheard.perSecond,
      servicesCores: notified.servicesCores,
      servicesCoresLooking: unheard.servicesCores,
    };
    const contradictions = [
      ...notified.contradictions,
      ...unheard.contradictions,
      ...(heard > 0 ? [] : ['nothing was announced, though notifications were on']),
      ...(heardThen === 0 ? [] : [`${heardThen} notifications were heard, though they were off`]),
    ];
    return [
      { scenario: 'bus-latency', scale: { rate, seconds }, figures, contradictions, versions: await versionsOf(stack) },
    ];
  });
};

function spreadOf(times: readonly number[]): Map<string, number> {
  return new Map([
    ['p50', percentile(times, 0.5)],
    ['p95', percentile(times, 0.95)],
    ['p99', percentile(times, 0.99)],
    ['max', percentile(times, 1)],
  ]);
}

interface Renaming {
  /** Milliseconds from each event to its row, by the bus and by the plain poll. */
  bus: number[];
  plain: number[];
  /** How many events a second were committed. */
  perSecond: number;
  /** Processor time of the services a second, in seconds: at 1 they do nothing else. */
  servicesCores: number;
  contradictions: string[];
}

/** Every person is new and changes their name once, so that the rows stay as the transactions have left them that are asked about. */
async function rename(stack: Stack, { rate, seconds }: { rate: number; seconds: number }): Promise<Renaming> {
  const [identity, booking] = [stack.database('identity'), stack.database('booking')];
  const everybody = await makeUsers(stack, 'student', rate * (WARM_UP_SECONDS + seconds));
  const measured = everybody.slice(rate * WARM_UP_SECONDS);
  const [before, began] = [cpuTimes(stack.processes()), performance.now()];
  await renameAll(stack, everybody, rate);
  const cpu = cpuBetween(before, cpuTimes(stack.processes()));
  const servicesCores = (cpu.services ?? 0) / (performance.now() - began);
  const read = async () => ({
    bus: await commitTimes(booking, 'people', measured),
    plain: await commitTimes(booking, PLAIN_PEOPLE, measured),
  });
  const deadline = performance.now() + ARRIVED_WITHIN_MS;
  let rows = await read();
  while (Math.min(rows.bus.size, rows.plain.size) < measured.length && performance.now() < deadline) {
    await sleep(LOOK_EVERY_MS);
    rows = await read();
  }
  const events = await commitTimes(identity, 'user_profiles', measured);
  const reached = perSecond(events);
  const missing = (times: ReadonlyMap<string, number>) => measured.length - times.size;
  return {
    bus: delays(events, rows.bus),
    plain: delays(events, rows.plain),
    perSecond: reached,
    servicesCores,
    contradictions: [
      ...(missing(rows.bus) > 0 ? [`${missing(rows.bus)} names have not come by the bus`] : []),
      ...(missing(rows.plain) > 0 ? [`${missing(rows.plain)} names have not come by the plain poll`] : []),
      ...(reached < rate * LEAST_RATE ? [`only ${reached.toFixed(1)} events a second were committed`] : []),
    ],
  };
}

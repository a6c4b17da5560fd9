import { setTimeout as sleep } from 'node:timers/promises';
import { commitTimes, delays, noteCommits, perSecond } from '../bus/commits';
import { PLAIN_PEOPLE, startPlainPoll } from '../bus/plain-poll';
import { renameAll } from '../bus/renames';
import { listenTo, silence } from '../bus/unheard';
import { versionsOf } from '../machine';
import { makeUsers, openTokens, type Tokens } from '../people';
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
    const tokens = openTokens(stack);
    const ear = await listenTo(stack);
    const plain = await startPlainPoll({ identity: stack.database('identity'), booking: stack.database('booking') });
    say(`${rate} people a second change their names for ${seconds} s, with notifications`);
    const notified = await rename(stack, tokens, { rate, seconds });
    const heard = ear.heard();
    signal.throwIfAborted();
    await silence(stack);
    say('The same without notifications');
    const unheard = await rename(stack, tokens, { rate, seconds });
    const heardThen = ear.heard() - heard;
    await plain.stop();
    await tokens.close();
    const delaysOf = { notified: notified.bus, looking: unheard.bus, plain: notified.plain };
    const figures = {
      ...Object.fromEntries(
        BUS_WAYS.flatMap((way) => [...spreadOf(delaysOf[way])].map(([of, ms]) => [wayFigure(way, of), ms])),
      ),
      p50OfPlain: percentile(notified.bus, 0.5) / percentile(notified.plain, 0.5),
      p99OfPlain: percentile(notified.bus, 0.99) / percentile(notified.plain, 0.99),
      perSecond: notified.perSecond,
      perSecondLooking: unheard.perSecond,
      answeredP50: percentile(notified.answers, 0.5),
      answeredP99: percentile(notified.answers, 0.99),
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
  answers: number[];
  contradictions: string[];
}

/** Every person is new and changes their name once, so that the rows stay as the transactions have left them that are asked about. */
async function rename(
  stack: Stack,
  tokens: Tokens,
  { rate, seconds }: { rate: number; seconds: number },
): Promise<Renaming> {
  const { gateway } = stack.platform.urls;
  const [identity, booking] = [stack.database('identity'), stack.database('booking')];
  const everybody = await makeUsers(stack, 'student', rate * (WARM_UP_SECONDS + seconds));
  const answers = (await renameAll(gateway, tokens, everybody, rate)).slice(rate * WARM_UP_SECONDS);
  const measured = answers.flatMap(({ id, status }) => (status === 200 ? [id] : []));
  const others = new Set(answers.flatMap(({ status }) => (status === 200 ? [] : [status])));
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
    answers: answers.map(({ latencyMs }) => latencyMs),
    contradictions: [
      ...(others.size > 0
        ? [`${answers.length - measured.length} changes of a name were answered ${[...others].join(', ')}`]
        : []),
      ...(missing(rows.bus) > 0 ? [`${missing(rows.bus)} names have not come by the bus`] : []),
      ...(missing(rows.plain) > 0 ? [`${missing(rows.plain)} names have not come by the plain poll`] : []),
      ...(reached < rate * LEAST_RATE ? [`only ${reached.toFixed(1)} events a second were committed`] : []),
    ],
  };
}

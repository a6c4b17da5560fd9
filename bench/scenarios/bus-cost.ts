import { setTimeout as sleep } from 'node:timers/promises';
import { costOf, medians, ofBus } from '../bus/cost';
import { cpuBetween, cpuTimes } from '../cpu';
import { BUS_COST_FIGURES, FULL_SCALE } from './names';
import type { RunScenario, ScenarioOptions } from './scenario';
import { inTurn, sideOf } from './side';
import { contradictions, onStage, type Stage } from './stage';

const DEFAULTS = FULL_SCALE['bus-cost'];
/** An even number, see `inTurn`. */
const PAIRS = 8;
const IDLE_SECONDS = 20;

/** What relays and consumers take of a booking's processor time: two platforms in turn, one of which publishes and reads nothing. */
export const busCost: RunScenario = async (options) => {
  const { say, scale } = options;
  const { count, clients } = { count: scale.count ?? DEFAULTS.count, clients: scale.clients ?? DEFAULTS.clients };
  return onStage(options, {}, (published) =>
    onStage(options, {}, async (silent) => {
      await silent.stack.replaceServices('bus/services.js');
      const on = sideOf(published, count, clients);
      const off = sideOf(silent, count, clients);
      for (const { stage } of [on, off]) await stage.book(count, clients);
      const before = { on: await appended(published), off: await appended(silent) };
      say(`${PAIRS} pairs of rounds of ${count} bookings by ${clients} clients, with the bus and without`);
      await inTurn(on, off, PAIRS, () => {
        const { with: withBus, without: withoutBus } = costOf(on.cpu.slice(-1), off.cpu.slice(-1), count);
        say(`${withBus.toFixed(1)} ms of processor time a booking with the bus, ${withoutBus.toFixed(1)} ms without`);
      });
      const events = { on: (await appended(published)) - before.on, off: (await appended(silent)) - before.off };
      const { with: withBus, without: withoutBus, ...shares } = costOf(on.cpu, off.cpu, count);
      const figures = {
        ...shares,
        withBus,
        withoutBus,
        pairs: PAIRS,
        eventsEach: events.on / (count * PAIRS),
        idleWith: await atRest(published, options),
        idleWithout: await atRest(silent, options),
        ...named(BUS_COST_FIGURES.with, medians(on.cpu, count)),
        ...named(BUS_COST_FIGURES.without, medians(off.cpu, count)),
      };
      const wrong = [
        ...(await contradictions(published, [])),
        ...(await contradictions(silent, [])),
        ...(events.on > 0 ? [] : ['nothing was published where the bus is on']),
        ...(events.off === 0 ? [] : [`${events.off} events were published where the bus is off`]),
      ];
      return [
        {
          scenario: 'bus-cost',
          scale: { count, clients },
          figures,
          contradictions: wrong,
          versions: published.versions,
        },
      ];
    }),
  );
};

const named = (prefix: string, times: Record<string, number>) =>
  Object.fromEntries(Object.entries(times).map(([name, ms]) => [`${prefix}${name}`, ms]));

/** How many events the topics were given so far. */
async function appended({ stack }: Stage): Promise<number> {
  const [row] = await stack.bus<{ n: number }[]>`select coalesce(sum(next_offset), 0)::int as n from topics`;
  return row?.n ?? 0;
}

/** Milliseconds of processor time a second of services and Postgres while nobody asks for anything. */
async function atRest({ stack }: Stage, { signal }: ScenarioOptions): Promise<number> {
  const before = cpuTimes(stack.processes());
  await sleep(IDLE_SECONDS * 1_000, undefined, { signal });
  return ofBus(cpuBetween(before, cpuTimes(stack.processes()))) / IDLE_SECONDS;
}

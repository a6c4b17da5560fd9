import { setTimeout as sleep } from 'node:timers/promises';
import { type EngineName, layoutOf } from './engines';
import { askGateway, closedLoop } from './load';
import { versionsOf } from './machine';
import { drained, type MeasuredRun, measure } from './measure';
import { createOrders } from './orders';
import { makePeople } from './people';
import { profileSettings } from './profile';
import { type Arrival, arrivalText, type Run } from './results';
import { startStack } from './stack';
import { contradictionsAtStripe } from './verify';

export interface ComparePlan {
  engines: EngineName[];
  loads: { arrival: Arrival; bookings: number }[];
  rounds: number;
  /**
   * Where to write profiles; undefined: none are made. Profiling takes time, so the figures of a profiled run compare
   * with no others.
   */
  profileFolder?: string | undefined;
  say(line: string): void;
  /** Aborted: the stack is stopped and `compare` rejects. */
  signal: AbortSignal;
}

const LAYOUTS = ['apart', 'together'] as const;
const WARM_UP = { bookings: 80, clients: 8 };
const SETTLE_MS = 60_000;
// A hundred tutors are booked around the clock. Each has two students, and one student in twenty is unlucky.
const PEOPLE = { students: 210, tutors: 100 };

/**
 * Lets the engines take turns. Every round starts a fresh platform of each layout and measures its engines on it, one
 * load after the other. The order of the engines differs from round to round, so that no engine always has the
 * emptiest tables.
 */
export async function compare({
  engines,
  loads,
  rounds,
  profileFolder,
  say,
  signal,
}: ComparePlan): Promise<{ runs: Run[]; versions: Record<string, string> }> {
  const runs: Run[] = [];
  let versions: Record<string, string> = {};
  for (let round = 1; round <= rounds; round++) {
    for (const layout of LAYOUTS) {
      const own = rotated(
        engines.filter((engine) => layoutOf(engine) === layout),
        round - 1,
      );
      if (own.length === 0) continue;
      say(
        `Round ${round} of ${rounds}: starting the platform${layout === 'together' ? ', booking with its worker' : ''}`,
      );
      const stack = await startStack({
        say(line) {
          // Lines in brackets are logs of the services. The other lines are the supervisor's: what ended and what is
          // back.
          if (!line.startsWith('[')) say(`  ${line}`);
        },
        layout,
        faults: true,
        settings: profileFolder === undefined ? {} : profileSettings(profileFolder),
      });
      try {
        versions = await versionsOf(stack);
        say('  Making people, and some bookings to warm up');
        const people = await makePeople(stack, PEOPLE);
        const orders = createOrders(stack, people);
        await stack.setUnlucky(orders.unluckyStudents);
        // Services that just started are slow: without a warm-up the first engine would pay for all of them.
        const warmUp = await orders.next(WARM_UP.bookings, { stored: false });
        await drained(
          stack,
          await closedLoop(askGateway(stack.platform.urls.gateway, people), warmUp, WARM_UP.clients),
        );
        const measured: MeasuredRun[] = [];
        for (const load of loads) {
          for (const engine of own) {
            signal.throwIfAborted();
            say(`  ${engine}, ${arrivalText(load.arrival)}, ${load.bookings} bookings`);
            const one = await measure({ stack, people, orders, profileFolder }, engine, { ...load, round });
            measured.push(one);
            say(`    ${summary(one.run)}`);
            if (one.run.contradictions.length > 0) say(`    does not count: ${excerpt(one.run)}`);
          }
        }
        await people.close();
        await reconcile(stack, measured, say);
        runs.push(...measured.map(({ run }) => run));
      } finally {
        await stack.stop();
      }
    }
  }
  return { runs, versions };
}

function rotated<T>(items: readonly T[], by: number): T[] {
  const at = by % Math.max(1, items.length);
  return [...items.slice(at), ...items.slice(0, at)];
}

/** Compares the whole round with Stripe, and marks the runs that do not agree with it. */
async function reconcile(
  stack: Parameters<typeof contradictionsAtStripe>[0],
  measured: MeasuredRun[],
  say: (line: string) => void,
): Promise<void> {
  // Runs that were given up may still be at work, so everything gets a minute to agree.
  let found = await contradictionsAtStripe(stack);
  const deadline = performance.now() + SETTLE_MS;
  while (found.overall.length + found.byBooking.size > 0 && performance.now() < deadline) {
    await sleep(2_000);
    found = await contradictionsAtStripe(stack);
  }
  const { byBooking, overall } = found;
  for (const { run, bookingIds } of measured) {
    run.contradictions.push(...overall);
    for (const id of bookingIds) {
      const sentence = byBooking.get(id);
      if (sentence !== undefined) run.contradictions.push(`booking ${id}: ${sentence}`);
    }
  }
  const bad = measured.filter(({ run }) => run.contradictions.length > 0);
  const bookings = measured.reduce((sum, { bookingIds }) => sum + bookingIds.length, 0);
  say(
    `  ${bookings} bookings compared with databases, ledger and Stripe: ${bad.length} of ${measured.length} runs do not count`,
  );
  for (const { run } of bad) {
    say(`    ${run.engine}, ${arrivalText(run.arrival)}: ${excerpt(run)}`);
  }
}

const excerpt = ({ contradictions }: Run) =>
  `${contradictions.slice(0, 3).join('; ')} (${contradictions.length} in all)`;

function summary({ answeredPerSecond, donePerSecond, p50, p95, cpu }: Run): string {
  const total = Object.values(cpu).reduce((sum, ms) => sum + ms, 0);
  return `${donePerSecond.toFixed(1)}/s done, ${answeredPerSecond.toFixed(1)}/s answered, p50 ${p50.toFixed(0)} ms, p95 ${p95.toFixed(0)} ms, ${total.toFixed(1)} CPU ms a booking`;
}

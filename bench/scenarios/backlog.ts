import { setTimeout as sleep } from 'node:timers/promises';
import { askGateway, closedLoop, postBooking } from '../load';
import type { PlannedOrder } from '../orders';
import { percentile } from '../stats';
import { FULL_SCALE } from './names';
import { watchReads } from './read-watch';
import type { RunScenario } from './scenario';
import { contradictions, onStage, type Stage, unsettled, untilSettled } from './stage';

const DEFAULTS = FULL_SCALE.backlog;
const ASKING_AGAIN = 32;
// Time enough for one booking a second: a booking that is not settled by then is lost.
const MS_PER_BOOKING = 1_000;

/**
 * Bookings are requested while no worker runs. The platform answers, nothing is lost, and all bookings are made once
 * the workers are back.
 */
export const backlog: RunScenario = async (options) => {
  const { say, scale } = options;
  const { count, rate } = { count: scale.count ?? DEFAULTS.count, rate: scale.rate ?? DEFAULTS.rate };
  return onStage(options, {}, async (stage) => {
    const { stack, people, gateway } = stage;
    const planned = await stage.orders.next(count, { stored: false });
    say(`Stopping the workers; ${count} bookings at ${rate} a second`);
    await stack.platform.halt('workers');
    const endWatch = watchReads(stage);
    const first = await requestAll(stage, planned, rate);
    const reads = await endWatch();
    const waiting = (await unsettled(stage)).requests;
    say(`${waiting} wait; starting the workers`);
    const began = performance.now();
    await stack.platform.resume('workers');
    const readyMs = performance.now() - began;
    const readyAt = new Date();
    const drainMs = await untilSettled(stage, 60_000 + count * MS_PER_BOOKING);
    say(
      drainMs === undefined
        ? 'They are not all settled'
        : `Settled ${(drainMs / 1_000).toFixed(1)} s after the workers were ready`,
    );
    // Every client asks again under its key, as it was told to.
    const { samples: told } = await closedLoop(askGateway(gateway, people), planned, ASKING_AGAIN);
    const wrong = await contradictions(stage, told);
    const left = (await unsettled(stage)).requests;
    const drained = await drain(stage, readyAt);
    const latencies = first.map(({ latencyMs }) => latencyMs);
    const figures = {
      waiting,
      lost: told.filter(({ outcome }) => outcome.outcome === 'failed').length + left,
      postP50: percentile(latencies, 0.5),
      postP99: percentile(latencies, 0.99),
      postMost: Math.max(...latencies),
      answeredLate: first.filter(({ status }) => status === 202 || status === 503).length,
      answeredOtherwise: first.filter(({ status }) => status !== 202 && status !== 503).length,
      reads: reads.count,
      readsFailed: reads.failed,
      readsP50: reads.p50,
      readsP99: reads.p99,
      readsMost: reads.most,
      workersReadySeconds: readyMs / 1_000,
      ...drained,
      ...(drainMs !== undefined && { drainSeconds: drainMs / 1_000, drainPerSecond: (waiting * 1_000) / drainMs }),
    };
    return [{ scenario: 'backlog', scale: { count, rate }, figures, contradictions: wrong, versions: stage.versions }];
  });
};

/** Every client asks once, at its moment, and is answered or not. */
function requestAll(
  { gateway, people }: Stage,
  planned: readonly PlannedOrder[],
  rate: number,
): Promise<{ status: number; latencyMs: number }[]> {
  const began = performance.now();
  return Promise.all(
    planned.map(async ({ order }, index) => {
      await sleep(Math.max(0, began + (index * 1_000) / rate - performance.now()));
      const asked = performance.now();
      const status = await postBooking(gateway, people, order).then(
        ({ statusCode }) => statusCode,
        () => 0,
      );
      return { status, latencyMs: performance.now() - asked };
    }),
  );
}

/** When after `readyAt` the bookings were made or refused. Seconds. */
async function drain({ stack }: Stage, readyAt: Date): Promise<Record<string, number>> {
  const rows = await stack.database('booking')<{ seconds: number }[]>`
    select extract(epoch from settled_at - ${readyAt})::float8 as seconds from booking_requests
    where settled_at > ${readyAt}`;
  const of = (share: number) =>
    percentile(
      rows.map(({ seconds }) => seconds),
      share,
    );
  return { drainP50Seconds: of(0.5), drainP90Seconds: of(0.9), drainP99Seconds: of(0.99) };
}

import { setTimeout as sleep } from 'node:timers/promises';
import { historyOf } from '../../dev/chaos/histories';
import { isLate, outcomeOfReply, postBooking, type Reply, type Sample } from '../load';
import type { PlannedOrder } from '../orders';
import { percentile } from '../stats';
import { FULL_SCALE } from './names';
import type { RunScenario } from './scenario';
import { contradictions, onStage, type Stage, untilSettled } from './stage';

const DEFAULTS = FULL_SCALE.overload;
const TIMES = 10;
// Time enough for one booking a second: a booking that is not settled by then is lost.
const MS_PER_BOOKING = 1_000;
/** Temporal's `TimeoutType`. */
const SCHEDULE_TO_START = 2;
const PROBE = { everyMs: 500, quickMs: 1_000, inARow: 3, withinMs: 600_000 };

interface Answer {
  planned: PlannedOrder;
  /** Undefined: the connection was lost. */
  reply: Reply | undefined;
  /** After the first request of the load. */
  answeredMs: number;
  latencyMs: number;
}

/**
 * Ten times as many requests come as can be carried out. The platform refuses some properly, carries out the rest,
 * and recovers by itself.
 */
export const overload: RunScenario = async (options) => {
  const { say, scale } = options;
  const count = scale.count ?? DEFAULTS.count;
  const clients = scale.clients ?? DEFAULTS.clients;
  const seconds = scale.seconds ?? DEFAULTS.seconds;
  // The product's own limit of requests: nobody here asks so often that it is met.
  return onStage(options, { settings: { RATE_LIMIT_API: '' } }, async (stage) => {
    say(`What can be sustained: ${count} bookings by ${clients} clients`);
    const { donePerSecond: sustainable } = await stage.book(count, clients);
    const rate = scale.rate ?? Math.ceil(sustainable * TIMES);
    say(`${sustainable.toFixed(1)} a second; now ${rate} a second for ${seconds} s`);
    const planned = await stage.orders.next(rate * seconds, { stored: false });
    const before = await settledCount(stage);
    const carriedOut = sleep(seconds * 1_000).then(async () => (await settledCount(stage)) - before);
    const answers = flood(stage, planned, rate);
    const settledMeanwhile = await carriedOut;
    const ended = performance.now();
    const recovering = recovery(stage, ended);
    const answered = await answers;
    say(`Answered: ${JSON.stringify(countsOf(answered))}`);
    const recoveryMs = await recovering;
    say(
      recoveryMs === undefined
        ? 'It does not recover'
        : `As quick as before after ${(recoveryMs / 1_000).toFixed(1)} s`,
    );
    const settledMs = await untilSettled(stage, 60_000 + planned.length * MS_PER_BOOKING);
    const emptyMs = settledMs === undefined ? undefined : performance.now() - ended;
    const made = answered.filter(isTold);
    const refused = answered.filter(({ reply }) => reply?.statusCode === 429 || reply?.statusCode === 503);
    // The last of these requests are answered up to twenty seconds after the last one was sent.
    const answeringSeconds = Math.max(seconds, ...made.map(({ answeredMs }) => answeredMs / 1_000));
    const acceptedPerSecond = made.length / answeringSeconds;
    const pending = answered.filter(({ reply }) => reply?.statusCode === 202 && isLate(reply));
    const others = answered.length - made.length - refused.length - pending.length;
    const wrong = await contradictions(stage, made.map(sampleOf));
    const givenAway = await tasksGivenAway(stage);
    say(`Workflow tasks that waited too long for the worker with their saga in memory: ${givenAway}`);
    const figures = {
      sustainable,
      offered: rate,
      acceptedPerSecond,
      acceptedShare: acceptedPerSecond / sustainable,
      settledPerSecond: settledMeanwhile / seconds,
      settledShare: settledMeanwhile / seconds / sustainable,
      refusedShare: refused.length / answered.length,
      otherShare: others / answered.length,
      pendingShare: pending.length / answered.length,
      refusedWithRetryAfter: refused.filter(({ reply }) => reply?.hasRetryAfter).length / Math.max(1, refused.length),
      refusedP50: percentile(latenciesOf(refused), 0.5),
      refusedP99: percentile(latenciesOf(refused), 0.99),
      madeP50: percentile(latenciesOf(made), 0.5),
      madeP99: percentile(latenciesOf(made), 0.99),
      ...(recoveryMs !== undefined && { recoverySeconds: recoveryMs / 1_000 }),
      ...(emptyMs !== undefined && { emptySeconds: emptyMs / 1_000 }),
      givenAway,
    };
    if (settledMs === undefined) wrong.push('not every stored request is settled');
    const lost = answered.filter(({ reply }) => reply === undefined).length;
    if (lost > 0) wrong.push(`${lost} requests got no answer`);
    return [
      {
        scenario: 'overload',
        scale: { count, clients, rate, seconds },
        figures,
        contradictions: wrong,
        versions: stage.versions,
      },
    ];
  });
};

/** How many tasks of bookings went to any worker, because the one that had the saga in memory did not take them in time. */
async function tasksGivenAway({ stack: { temporal } }: Stage): Promise<number> {
  let count = 0;
  for await (const { workflowId } of temporal.workflow.list({ query: "WorkflowType = 'booking'" })) {
    const events = await historyOf(temporal, workflowId);
    count += events.filter(
      (event) => event.workflowTaskTimedOutEventAttributes?.timeoutType === SCHEDULE_TO_START,
    ).length;
  }
  return count;
}

const latenciesOf = (answers: readonly Answer[]) => answers.map(({ latencyMs }) => latencyMs);

/** Whether the client knows what became of its booking. */
function isTold({ reply }: Answer): boolean {
  return reply !== undefined && !isLate(reply) && [201, 202, 402].includes(reply.statusCode);
}

function sampleOf({ planned, reply, latencyMs }: Answer): Sample {
  if (!reply) throw new Error('Nobody was told anything');
  return { planned, latencyMs, ...outcomeOfReply(reply) };
}

function countsOf(answers: readonly Answer[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { reply } of answers) {
    const name = String(reply?.statusCode ?? 'none');
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

/** Each request at its moment, whether or not earlier ones are answered; nobody asks again. */
function flood({ gateway, people }: Stage, planned: readonly PlannedOrder[], rate: number): Promise<Answer[]> {
  const began = performance.now();
  return Promise.all(
    planned.map(async (one, index) => {
      const due = began + (index * 1_000) / rate;
      await sleep(Math.max(0, due - performance.now()));
      const reply = await postBooking(gateway, people, one.order).catch(() => undefined);
      const now = performance.now();
      return { planned: one, reply, answeredMs: now - began, latencyMs: now - due };
    }),
  );
}

async function settledCount({ stack }: Stage): Promise<number> {
  const [row] = await stack.database('booking')<{ n: number }[]>`
    select count(*)::int as n from booking_requests r left join bookings b using (id)
    where r.refusal is not null or b.status <> 'pending'`;
  return row?.n ?? 0;
}

/** @returns milliseconds since `ended` until bookings are made within a second again; undefined when that does not come */
async function recovery({ orders, gateway, people }: Stage, ended: number): Promise<number | undefined> {
  let quickSince: number | undefined;
  let inARow = 0;
  while (performance.now() - ended < PROBE.withinMs) {
    const [planned] = await orders.next(1, { stored: false });
    if (!planned) return undefined;
    const asked = performance.now();
    const reply = await postBooking(gateway, people, planned.order).catch(() => undefined);
    const quick = reply !== undefined && !isLate(reply) && performance.now() - asked <= PROBE.quickMs;
    inARow = quick ? inARow + 1 : 0;
    if (inARow === 1) quickSince = asked;
    if (inARow === PROBE.inARow && quickSince !== undefined) return quickSince - ended;
    await sleep(PROBE.everyMs);
  }
  return undefined;
}

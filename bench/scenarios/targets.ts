import type { Results, ScenarioResult } from '../results';
import { linesOf } from '../table';
import type { ScenarioName } from './names';

/** A limit of a figure. */
type Bound = { most: number } | { least: number };

export interface Target {
  what: string;
  /** Where the figure comes from; `compare` is the comparison of engines. */
  from: ScenarioName | 'compare';
  figure: string;
  unit: string;
  /** Decimal places. */
  places: number;
  /** Outside this bound the product does not do what it is for. */
  must?: Bound;
  /** The bound that is aimed at. */
  aim?: Bound;
}

/** Every line of the table of targets. One without a bound is measured to be known. */
export const TARGETS: readonly Target[] = [
  line('compare', 'saga alone (`ours`), throughput against `naive` at K=16', 'oursToNaive', '%', 0, atLeast(2, 3)),
  line('compare', 'saga alone (`ours`), throughput against `dbos` at K=16', 'oursToDbos', '%', 0, atLeast(0.5, 0.9)),
  line('compare', 'saga alone (`ours`), throughput against `queue` at K=16', 'oursToQueue', '%', 0, atLeast(0.5, 0.9)),
  line('compare', 'saga alone (`ours`), p50 against `dbos` at K=1', 'latencyToDbos', '%', 0, atMost(2, 1.3)),
  line('compare', '`gateway` against the saga alone, throughput at K=16', 'gatewayToOurs', '%', 0, atLeast(0.7, 0.85)),
  line('compare', 'saga alone (`ours`), throughput against `bare` at K=16', 'oursToBare', '%', 0),
  line('compare', 'public endpoint (`gateway`), bookings a second at K=16', 'gateway', '/s', 1),
  line('compare', 'the same, booking with its worker (`gateway-together`)', 'gatewayTogether', '/s', 1),
  line('reads', 'slowest read through the gateway, p95', 'worstP95', 'ms', 1, atMost(50, 25)),
  line('memory', 'all Node processes of `npm start` at rest, PSS', 'nodePss', 'MB', 0),
  line('memory', 'all Node processes of `npm start` at rest, RSS', 'nodeRss', 'MB', 0, atMost(600, 400)),
  line('memory', 'growth of services and workers, PSS', 'growth', 'MB', 1, atMost(0)),
  line('backlog', 'bookings lost that were requested without workers', 'lost', '', 0, atMost(0)),
  line('backlog', 'bookings stored that wait for a worker when one comes back', 'waiting', '', 0),
  line('backlog', 'slowest read through the gateway meanwhile', 'readsMost', 'ms', 0, atMost(1_000)),
  line('backlog', "a booking's own answer meanwhile (202 or 503), p50", 'postP50', 'ms', 0),
  line('backlog', "a booking's own answer meanwhile (202 or 503), p99", 'postP99', 'ms', 0),
  line('backlog', 'all made, after the workers are back', 'drainSeconds', 's', 1),
  line('overload', 'refusals (429, 503) that carry Retry-After', 'refusedWithRetryAfter', '%', 0, atLeast(1)),
  line('overload', 'requests refused', 'refusedShare', '%', 0),
  line('overload', 'requests answered 202: the booking is being made', 'pendingShare', '%', 0),
  line('overload', 'bookings made or declined a second, of what is sustainable', 'acceptedShare', '%', 0, atLeast(0.8)),
  line('overload', 'the same by the sagas alone, while the load lasts', 'settledShare', '%', 0),
  line('overload', 'as quick as before, by itself, after', 'recoverySeconds', 's', 1),
  line('open', 'throughput beside open bookings, of that without', 'ratio', '%', 0, atLeast(0.9, 0.97)),
  line('open', 'the lowest of its pairs of rounds', 'ratioLeast', '%', 0),
  line('open', 'the highest', 'ratioMost', '%', 0),
  line('restart', 'first booking confirmed after the restarted worker is ready', 'firstSeconds', 's', 2, atMost(3, 1)),
  line('restart', 'worker ready after SIGKILL', 'readySeconds', 's', 2),
  line('bus-latency', 'event to read model at 100 events a second, p99', 'notified p99', 'ms', 0, atMost(1_000)),
  line('bus-latency', 'the same, p50', 'notified p50', 'ms', 0),
  line('bus-latency', 'without notifications, p99', 'looking p99', 'ms', 0),
  line('bus-latency', 'by a poll of the outbox every second, p99', 'plain p99', 'ms', 0),
  line('bus-latency', 'p99 of the bus, of that of this poll', 'p99OfPlain', '%', 0),
  line('bus-latency', 'p50 of the bus, of that of this poll', 'p50OfPlain', '%', 0),
  line('bus-cost', "relays and consumers, of a booking's processor time", 'share', '%', 1, atMost(0.05)),
  line(
    'bus-cost',
    'the same where only services and Postgres are compared',
    'shareOfItsProcesses',
    '%',
    1,
    atMost(0.05),
  ),
  line('bus-cost', 'the lowest of its pairs of rounds', 'shareLeast', '%', 1),
  line('bus-cost', 'the highest', 'shareMost', '%', 1),
  line('bus-cost', 'a booking with relays and consumers', 'withBus', 'ms', 1),
  line('bus-cost', 'a booking without them', 'withoutBus', 'ms', 1),
  line('bus-catch-up', 'relay: 100,000 events behind are on the bus', 'relaySeconds', 's', 1, atMost(120)),
  line('bus-catch-up', 'the same, events a second', 'relayPerSecond', '/s', 0),
  line('bus-catch-up', 'a projection behind it has them all', 'throughSeconds', 's', 1, atMost(120)),
  line('bus-catch-up', 'projection: from nothing to 100,000 events', 'projectionSeconds', 's', 1, atMost(120)),
  line('bus-catch-up', 'the same, events a second', 'projectionPerSecond', '/s', 0),
  line('forgot-timing', 'forgotten password: p50 of four kinds of addresses, apart by', 'apart', '%', 1, atMost(0.05)),
  line('forgot-timing', 'the same, of an address that nobody has', 'p50 of unknown', 'ms', 1),
  line('forgot-timing', 'the same, of one whose account is pending', 'p50 of pending', 'ms', 1),
  line('forgot-timing', 'the same, of one with an account', 'p50 of existing', 'ms', 1),
  line('forgot-timing', 'the same, of one whose person signs in at a provider', 'p50 of at a provider', 'ms', 1),
];

function atLeast(must: number, aim?: number): Pick<Target, 'must' | 'aim'> {
  return { must: { least: must }, ...(aim !== undefined && { aim: { least: aim } }) };
}

function atMost(must: number, aim?: number): Pick<Target, 'must' | 'aim'> {
  return { must: { most: must }, ...(aim !== undefined && { aim: { most: aim } }) };
}

function line(
  from: Target['from'],
  what: string,
  figure: string,
  unit: string,
  places: number,
  bounds: Pick<Target, 'must' | 'aim'> = {},
): Target {
  return { from, what, figure, unit, places, ...bounds };
}

/** The figures of the targets that come from the comparison of engines. */
export function figuresOf({ runs }: Results): Record<string, number> {
  const lines = linesOf(runs);
  const under = (engine: string, clients: number) =>
    lines.find(
      ({ arrival, ...line }) => line.engine === engine && arrival.kind === 'closed' && arrival.clients === clients,
    );
  const of = (engine: string) => under(engine, 16);
  const ratio = (a: number | undefined, b: number | undefined) => (a && b ? a / b : undefined);
  const ours = of('ours')?.donePerSecond;
  const found = {
    oursToDbos: of('ours')?.toDbos,
    oursToBare: of('ours')?.toBare,
    oursToNaive: ratio(ours, of('naive')?.donePerSecond),
    oursToQueue: ratio(ours, of('queue')?.donePerSecond),
    gatewayToOurs: ratio(of('gateway')?.donePerSecond, ours),
    latencyToDbos: ratio(under('ours', 1)?.p50, under('dbos', 1)?.p50),
    gateway: of('gateway')?.donePerSecond,
    gatewayTogether: of('gateway-together')?.donePerSecond,
  };
  return Object.fromEntries(
    Object.entries(found).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

export function holds(value: number, bound: Bound): boolean {
  return 'most' in bound ? value <= bound.most : value >= bound.least;
}

/** What, must, aim, measured, and what the figure says of both, as text. */
export function rowOf(
  target: Target,
  result: Pick<ScenarioResult, 'figures' | 'contradictions'> | undefined,
): string[] {
  const { what, must, aim } = target;
  const value = result?.figures[target.figure];
  const limits = [boundText(target, must), boundText(target, aim)];
  if (result && result.contradictions.length > 0) return [what, ...limits, 'does not count', 'did not verify'];
  if (value === undefined) return [what, ...limits, 'not measured', ''];
  const judged = must && !holds(value, must) ? 'missed' : aim && !holds(value, aim) ? 'must, not aim' : 'met';
  return [what, ...limits, textOf(target, value), must || aim ? judged : ''];
}

function boundText(target: Target, bound: Bound | undefined): string {
  if (!bound) return '–';
  return 'most' in bound ? `≤ ${textOf(target, bound.most)}` : `≥ ${textOf(target, bound.least)}`;
}

function textOf({ unit, places }: Target, value: number): string {
  if (unit === '%') return `${(value * 100).toFixed(places)} %`;
  return `${value.toFixed(places)}${unit === '/s' ? unit : ` ${unit}`}`.trim();
}

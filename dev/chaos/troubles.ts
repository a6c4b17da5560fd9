import { type Chance, chance } from './chance';

/** A fault of the Stripe sandbox: the body of `POST /sandbox/faults`. */
export type Fault = Record<string, unknown> & { kind: string };

/** A vendor that answers nobody, or hardly, for `ms`; of Stripe that is a fault. */
export type Outage =
  | { kind: 'mail hangs' | 'mail drips'; ms: number }
  | { kind: 'stripe hangs'; ms: number; fault: Fault };

export interface Troubles {
  /** Which process is killed next, how long after the one before, and how many others may be down at that moment. */
  nextKill(names: readonly string[]): { afterMs: number; name: string; othersDown: number };
  nextFault(): { afterMs: number; fault: Fault };
  /** The same, on the way of payouts. */
  nextPayoutFault(): { afterMs: number; fault: Fault };
  /** The same, on the way of disputes. */
  nextDisputeFault(): { afterMs: number; fault: Fault };
  /** Which process hangs next (SIGSTOP), and for how long. */
  nextFreeze(names: readonly string[]): { afterMs: number; name: string; ms: number };
  nextOutage(): { afterMs: number; outage: Outage };
  /** When connections to the databases end next: all of them, or because Postgres restarts, which takes a tenth of a second. */
  nextCut(): { afterMs: number; restarts: boolean };
}

const PAUSE_MS = { least: 1_000, most: 3_000 };
const SECOND = 1_000;
/** Longer than a client of a service waits for a connection (2 s), some longer than a person waits for an answer. */
const FREEZE_MS = { least: 1_500, most: 6_000 };
/** All of a platform rests on these: they hang for less. */
const FOUNDATIONS = ['postgres', 'temporal', 'gateway'];
const FOUNDATION_FREEZE_MS = { least: 1_000, most: 4_000 };
/** As long as it takes that notices and charges pile up. */
const OUTAGE_MS = { least: 6_000, most: 18_000 };
/** More than the payment service waits for an answer of Stripe. */
const STRIPE_HANG_MS = 12_000;

/** What goes wrong in a run, one after another: the same for the same seed. */
export function planTroubles(seed: number): Troubles {
  const kills = chance(seed, 'kills');
  const faults = chance(seed, 'faults');
  const payoutFaults = chance(seed, 'payout-faults');
  const disputeFaults = chance(seed, 'dispute-faults');
  const freezes = chance(seed, 'freezes');
  const outages = chance(seed, 'outages');
  const cuts = chance(seed, 'cuts');
  return {
    nextKill: (names) => ({
      afterMs: kills.between(PAUSE_MS.least, PAUSE_MS.most),
      name: kills.pick(names.map((name) => [1, name])),
      othersDown: kills.holds(0.25) ? 1 : 0,
    }),
    nextFault: () => ({ afterMs: faults.between(PAUSE_MS.least, PAUSE_MS.most), fault: faultOf(faults) }),
    nextPayoutFault: () => ({
      // There are fewer requests to spoil than on the way of bookings.
      afterMs: payoutFaults.between(2 * PAUSE_MS.least, 2 * PAUSE_MS.most),
      fault: payoutFaultOf(payoutFaults),
    }),
    nextDisputeFault: () => ({
      afterMs: disputeFaults.between(3 * PAUSE_MS.least, 3 * PAUSE_MS.most),
      fault: disputeFaultOf(disputeFaults),
    }),
    nextFreeze(names) {
      const name = freezes.pick(names.map((one) => [1, one]));
      const { least, most } = FOUNDATIONS.includes(name) ? FOUNDATION_FREEZE_MS : FREEZE_MS;
      const afterMs = freezes.between(2 * PAUSE_MS.least, 2 * PAUSE_MS.most);
      return { afterMs, name, ms: Math.round(freezes.between(least, most)) };
    },
    nextOutage: () => ({ afterMs: outages.between(3 * PAUSE_MS.least, 3 * PAUSE_MS.most), outage: outageOf(outages) }),
    nextCut: () => ({ afterMs: cuts.between(2 * PAUSE_MS.least, 2 * PAUSE_MS.most), restarts: cuts.holds(0.25) }),
  };
}

function outageOf(draw: Chance): Outage {
  const ms = Math.round(draw.between(OUTAGE_MS.least, OUTAGE_MS.most));
  const when = draw.holds(0.5) ? 'before' : 'after';
  const hang = { kind: 'hang', match: { path: '/v1' }, times: 1_000, forMs: ms, ms: STRIPE_HANG_MS, when };
  return draw.pick<Outage>([
    [2, { kind: 'mail hangs', ms }],
    [1, { kind: 'mail drips', ms }],
    [2, { kind: 'stripe hangs', ms, fault: hang }],
  ]);
}

function faultOf(draw: Chance): Fault {
  const path = draw.pick([
    [5, '/v1/payment_intents'],
    [2, '/v1/payment_intents/*/capture'],
    [1, '/v1/payment_intents/*/cancel'],
    [3, '/v1/refunds'],
    [1, '/v1/customers'],
    [1, '/v1/accounts'],
    [2, '/v1'],
  ]);
  // Of a booking's money only a refused refund asks for an operator: every other request that is refused is undone.
  const refusal = () => ({ path: '/v1/refunds', code: 'charge_disputed' });
  return spoilt(draw, { path }, [1, refusal]);
}

/** What an account pays out, and what it may, is asked of the account; what we have, of the balance. */
function payoutFaultOf(draw: Chance): Fault {
  const path = draw.pick([
    [3, '/v1/transfers'],
    [2, '/v1/transfers/*/reversals'],
    [3, '/v1/payouts'],
    [2, '/v1/accounts/*'],
    [1, '/v1/balance'],
  ]);
  const type = draw.pick([
    [3, 'payout.*'],
    [1, 'payout.paid'],
    [1, 'payout.failed'],
    [2, 'account.*'],
    [1, 'balance.available'],
  ]);
  const refusal = () =>
    draw.pick<Refusal>([
      // It waits for our funds, or is undone; for a reversal an operator is asked.
      [2, { path: '/v1/transfers', code: 'balance_insufficient' }],
      [1, { path: '/v1/transfers', code: 'transfers_not_allowed' }],
      [3, { path: '/v1/transfers/*/reversals', code: 'balance_insufficient' }],
      [2, { path: '/v1/payouts', code: 'payouts_not_allowed' }],
    ]);
  return spoilt(draw, { path, type }, [12, refusal]);
}

function disputeFaultOf(draw: Chance): Fault {
  const path = draw.pick([
    [3, '/v1/disputes'],
    [2, '/v1/disputes/*'],
    [1, '/v1/disputes/*/close'],
  ]);
  // What speaks against a dispute waits for an operator then, or for the bank, whichever is first.
  const refusal = () => ({ path: '/v1/disputes/*', code: 'evidence_not_accepted' });
  return spoilt(draw, { path, type: 'charge.dispute.*' }, [2, refusal]);
}

interface Refusal {
  path: string;
  code: string;
}

/** A fault of requests to `path`, a request that Stripe refuses, as probable as its weight says, or a fault of webhooks, of `type` if it is given. */
function spoilt(
  draw: Chance,
  { path, type }: { path: string; type?: string },
  [weight, refusal]: [number, () => Refusal],
): Fault {
  const match = { path };
  const told = type === undefined ? {} : { match: { type } };
  const times = 1 + draw.below(3);
  const refuse = ({ path: refused, code }: Refusal): Fault => ({
    ...{ kind: 'refuse_400', match: { path: refused, method: 'POST' }, code },
  });
  return draw.pick<() => Fault>([
    [3, () => ({ kind: 'error_500', match, times, stored: draw.holds(0.5) })],
    [3, () => ({ kind: 'error_500_after', match, times })],
    [weight, () => refuse(refusal())],
    [2, () => ({ kind: 'rate_limit_429', match, times, retryAfterSeconds: 1 + draw.below(3) })],
    // The SDK repeats a request whose connection was closed, so the service notices a fault from the second time on.
    [2, () => ({ kind: 'drop_before', match, times: 2 * times })],
    [4, () => ({ kind: 'drop_after', match, times: 2 * times })],
    [2, () => ({ kind: 'truncate_after', match, times })],
    [2, () => ({ kind: 'hang', match, ms: Math.round(draw.between(2, 12) * SECOND), when: 'before' })],
    [3, () => ({ kind: 'hang', match, ms: Math.round(draw.between(2, 12) * SECOND), when: 'after' })],
    [3, () => ({ kind: 'webhook_double', ...told, times: 5 })],
    [3, () => ({ kind: 'webhook_lose', ...told, times })],
    [3, () => ({ kind: 'webhook_delay', ...told, times: 5, ms: Math.round(draw.between(1, 15) * SECOND) })],
    [2, () => ({ kind: 'webhook_reorder', ...told, times, ms: 10 * SECOND })],
    [1, () => ({ kind: 'webhook_bad_signature', ...told, times })],
    [1, () => ({ kind: 'webhook_stale_timestamp', ...told, times })],
  ])();
}

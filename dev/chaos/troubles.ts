import { type Chance, chance } from './chance';

/** A fault of the Stripe sandbox: the body of `POST /sandbox/faults`. */
export type Fault = Record<string, unknown> & { kind: string };

export interface Troubles {
  /** Which process is killed next, how long after the one before, and how many others may be down at that moment. */
  nextKill(names: readonly string[]): { afterMs: number; name: string; othersDown: number };
  nextFault(): { afterMs: number; fault: Fault };
}

const PAUSE_MS = { least: 1_000, most: 3_000 };
const SECOND = 1_000;

/** What goes wrong in a run, one after another: the same for the same seed. */
export function planTroubles(seed: number): Troubles {
  const kills = chance(seed, 'kills');
  const faults = chance(seed, 'faults');
  return {
    nextKill: (names) => ({
      afterMs: kills.between(PAUSE_MS.least, PAUSE_MS.most),
      name: kills.pick(names.map((name) => [1, name])),
      othersDown: kills.holds(0.25) ? 1 : 0,
    }),
    nextFault: () => ({ afterMs: faults.between(PAUSE_MS.least, PAUSE_MS.most), fault: faultOf(faults) }),
  };
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
  const match = { path };
  const times = 1 + draw.below(3);
  return draw.pick<() => Fault>([
    [3, () => ({ kind: 'error_500', match, times, stored: draw.holds(0.5) })],
    [3, () => ({ kind: 'error_500_after', match, times })],
    [2, () => ({ kind: 'rate_limit_429', match, times, retryAfterSeconds: 1 + draw.below(3) })],
    // The SDK repeats a request whose connection was closed, so the service notices a fault from the second time on.
    [2, () => ({ kind: 'drop_before', match, times: 2 * times })],
    [4, () => ({ kind: 'drop_after', match, times: 2 * times })],
    [2, () => ({ kind: 'truncate_after', match, times })],
    [2, () => ({ kind: 'hang', match, ms: Math.round(draw.between(2, 12) * SECOND), when: 'before' })],
    [3, () => ({ kind: 'hang', match, ms: Math.round(draw.between(2, 12) * SECOND), when: 'after' })],
    [3, () => ({ kind: 'webhook_double', times: 5 })],
    [3, () => ({ kind: 'webhook_lose', times })],
    [3, () => ({ kind: 'webhook_delay', times: 5, ms: Math.round(draw.between(1, 15) * SECOND) })],
    [2, () => ({ kind: 'webhook_reorder', times, ms: 10 * SECOND })],
    [1, () => ({ kind: 'webhook_bad_signature', times })],
    [1, () => ({ kind: 'webhook_stale_timestamp', times })],
  ])();
}

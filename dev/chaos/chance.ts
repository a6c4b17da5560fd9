import { createHash } from 'node:crypto';

/**
 * Draws that a seed repeats. Each draw is a hash of seed, stream and its number in the stream: a stream that grows longer moves no
 * draw of another one.
 */
export interface Chance {
  /** At least `low`, less than `high`. */
  between(low: number, high: number): number;
  /** A whole number, at least 0 and less than `below`. */
  below(below: number): number;
  /** True with this probability. */
  holds(probability: number): boolean;
  /** One of the values, each as probable as its weight says. */
  pick<T>(weighted: readonly (readonly [weight: number, value: T])[]): T;
}

const RANGE = 2 ** 32;

export function chance(seed: number, stream: string): Chance {
  let drawn = 0;
  const draw = () => createHash('sha256').update(`${seed}/${stream}/${drawn++}`).digest().readUInt32BE() / RANGE;
  const between = (low: number, high: number) => low + draw() * (high - low);
  return {
    between,
    below: (below) => Math.floor(between(0, below)),
    holds: (probability) => draw() < probability,
    pick(weighted) {
      let left = between(
        0,
        weighted.reduce((sum, [weight]) => sum + weight, 0),
      );
      for (const [weight, value] of weighted) {
        left -= weight;
        if (left < 0) return value;
      }
      throw new Error('There is nothing to pick from');
    },
  };
}

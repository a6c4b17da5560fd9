import { type CpuTimes, cpuBetween, cpuTimes } from '../cpu';
import type { Stage } from './stage';

/** One of two platforms that are measured in turn. */
export interface Side {
  stage: Stage;
  /** Bookings done a second, by round. */
  perSecond: number[];
  /** The CPU time of each round, by process. It tells what the product does from other load of the machine. */
  cpu: CpuTimes[];
  round(): Promise<void>;
}

/** A round is so many `bookings` by `clients` at once, until the last mail was sent. */
export function sideOf(stage: Stage, bookings: number, clients: number): Side {
  const side: Side = {
    stage,
    perSecond: [],
    cpu: [],
    async round() {
      const processes = stage.stack.processes();
      const before = cpuTimes(processes);
      const { donePerSecond } = await stage.book(bookings, clients);
      side.cpu.push(cpuBetween(before, cpuTimes(processes)));
      side.perSecond.push(donePerSecond);
    },
  };
  return side;
}

/**
 * Lets both sides take turns; in each pair of rounds the other comes first. The rounds are minutes apart at most, so that other load of the machine
 * meets both. The side that is not measured idles.
 */
export async function inTurn(first: Side, second: Side, pairs: number, after: () => void): Promise<void> {
  for (let pair = 0; pair < pairs; pair++) {
    const order = [first, second];
    for (const side of pair % 2 === 0 ? order : order.toReversed()) await side.round();
    after();
  }
}

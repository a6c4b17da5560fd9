import { type CpuTimes, cpuEach, cpuTotal } from '../cpu';
import { median } from '../stats';

/** The processes in which relays and consumers take processor time: what the others differ by is chance. */
const BUS_PROCESSES = ['services', 'postgres'];

/** What the bus costs of a booking: milliseconds of processor time, and shares of that of a booking with the bus. */
export interface BusCost {
  with: number;
  without: number;
  /** What the bus is of `with`, by the medians of the rounds. */
  share: number;
  /** Of the pairs of rounds, the lowest and the highest. */
  shareLeast: number;
  shareMost: number;
  /** The same share where only the processes are compared in which the bus works, the median of the pairs. */
  shareOfItsProcesses: number;
}

/** Rounds of `bookings` each, in pairs: the n-th with the bus beside the n-th without. */
export function costOf(withBus: readonly CpuTimes[], withoutBus: readonly CpuTimes[], bookings: number): BusCost {
  const pairs = withBus.map((on, pair) => {
    const off = withoutBus[pair] ?? {};
    const all = cpuTotal(on);
    return { share: (all - cpuTotal(off)) / all, own: (ofBus(on) - ofBus(off)) / all };
  });
  const of = (rounds: readonly CpuTimes[]) => median(rounds.map(cpuTotal)) / bookings;
  const [on, off] = [of(withBus), of(withoutBus)];
  const shares = pairs.map(({ share }) => share);
  return {
    with: on,
    without: off,
    share: (on - off) / on,
    shareLeast: Math.min(...shares),
    shareMost: Math.max(...shares),
    shareOfItsProcesses: median(pairs.map(({ own }) => own)),
  };
}

/** Processor time of the processes in which the bus works. */
export const ofBus = (times: CpuTimes) => BUS_PROCESSES.reduce((sum, name) => sum + (times[name] ?? 0), 0);

/** Each process's median over rounds of `bookings`, a booking's. */
export function medians(rounds: readonly CpuTimes[], bookings: number): CpuTimes {
  const each = rounds.map((round) => cpuEach(round, bookings));
  const names = new Set(each.flatMap(Object.keys));
  return Object.fromEntries([...names].map((name) => [name, median(each.map((times) => times[name] ?? 0))]));
}

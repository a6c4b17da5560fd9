import { readdirSync, readFileSync } from 'node:fs';

/** A process that is counted with all its children, under a name that several may share. */
export interface ProcessGroup {
  name: string;
  pid: number;
}

/** CPU milliseconds by name since each process began. */
export type CpuTimes = Record<string, number>;

// Linux has counted in hundredths of a second on every architecture for decades (`getconf CLK_TCK`).
const MS_PER_TICK = 10;

interface Stat {
  parent: number;
  /** The time of the process itself and of its children that have ended. */
  ticks: number;
}

/**
 * Reads the times of all processes with their descendants (proc(5)). All times are zero where the system is not
 * Linux.
 */
export function cpuTimes(groups: ProcessGroup[]): CpuTimes {
  const stats = readStats();
  const childrenOf = new Map<number, number[]>();
  for (const [pid, { parent }] of stats) childrenOf.set(parent, [...(childrenOf.get(parent) ?? []), pid]);
  const roots = new Set(groups.map(({ pid }) => pid));
  const total = (pid: number): number => {
    const below = (childrenOf.get(pid) ?? []).filter((child) => !roots.has(child));
    return (stats.get(pid)?.ticks ?? 0) + below.reduce((sum, child) => sum + total(child), 0);
  };
  const times: CpuTimes = {};
  for (const { name, pid } of groups) {
    const own = name === 'load' ? (stats.get(pid)?.ticks ?? 0) : total(pid);
    times[name] = (times[name] ?? 0) + own * MS_PER_TICK;
  }
  return times;
}

/** What was used between two readings. */
export function cpuBetween(before: CpuTimes, after: CpuTimes): CpuTimes {
  return Object.fromEntries(Object.entries(after).map(([name, ms]) => [name, Math.max(0, ms - (before[name] ?? 0))]));
}

function readStats(): Map<number, Stat> {
  const stats = new Map<number, Stat>();
  if (process.platform !== 'linux') return stats;
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid)) continue;
    try {
      const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
      // The name comes before the state, in parentheses, and may itself hold spaces and parentheses.
      const fields = text
        .slice(text.lastIndexOf(')') + 2)
        .split(' ')
        .map(Number);
      const [, parent = 0] = fields;
      const [utime = 0, stime = 0, cutime = 0, cstime = 0] = fields.slice(11, 15);
      stats.set(pid, { parent, ticks: utime + stime + cutime + cstime });
    } catch {
      // the process has ended meanwhile
    }
  }
  return stats;
}

/** All of them together, by name. */
export function cpuSum(times: readonly CpuTimes[]): CpuTimes {
  const sum: CpuTimes = {};
  for (const one of times) for (const [name, ms] of Object.entries(one)) sum[name] = (sum[name] ?? 0) + ms;
  return sum;
}

/** Of all processes that carry a booking: the load generator is none of them. */
export function cpuTotal(times: CpuTimes): number {
  return Object.entries(times).reduce((sum, [name, ms]) => (name === 'load' ? sum : sum + ms), 0);
}

/** The same for each of `count` things that were done with it. */
export function cpuEach(times: CpuTimes, count: number): CpuTimes {
  return Object.fromEntries(Object.entries(times).map(([name, ms]) => [name, ms / count]));
}

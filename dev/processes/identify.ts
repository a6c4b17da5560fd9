import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * The pid of a process with the moment of its birth, as the system tells it. The system may give the pid alone to
 * another process later.
 */
export interface ProcessId {
  pid: number;
  born: string;
}

/** The identity of a running process; undefined when there is none with this number, or only its zombie. */
export function identify(pid: number): ProcessId | undefined {
  const born = process.platform === 'linux' ? bornOnLinux(pid) : bornByPs(pid);
  return born === undefined ? undefined : { pid, born };
}

/** Whether exactly this process still runs. */
export function isRunning(id: ProcessId): boolean {
  return identify(id.pid)?.born === id.born;
}

/** The command line of a running process, as text to look for a path in. */
export function commandLine(pid: number): string {
  try {
    if (process.platform === 'linux') return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
    return execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }).trim();
  } catch {
    return '';
  }
}

/** Sends a signal to a process or its group; false when it is gone already. */
export function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    process.kill(pid, name);
    return true;
  } catch {
    return false;
  }
}

/** Sends `name`, waits for the end, and sends SIGKILL when it has not come within `graceMs`. */
export async function stopProcess(id: ProcessId, name: NodeJS.Signals, graceMs: number): Promise<void> {
  for (const [step, limit] of [
    [name, graceMs],
    ['SIGKILL', 5_000],
  ] as const) {
    if (!isRunning(id)) return;
    signal(id.pid, step);
    if (await until(() => !isRunning(id), limit)) return;
  }
  throw new Error(`Process ${id.pid} does not end, not even by SIGKILL`);
}

/** Asks again and again until `condition` holds; false when it did not within `timeoutMs`. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  timeoutMs: number,
  everyMs = 50,
): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > deadline) return false;
    await sleep(everyMs);
  }
  return true;
}

/** Boot id and start in clock ticks since boot: `stat` fields 3 (state) and 22 (start), proc(5). */
function bornOnLinux(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name comes before the state, in parentheses, and may itself hold spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state, started] = [fields[0], fields[19]];
    if (state === 'Z' || state === 'X' || started === undefined) return undefined;
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}/${started}`;
  } catch {
    return undefined;
  }
}

function bornByPs(pid: number): string | undefined {
  try {
    const line = execFileSync('ps', ['-o', 'state=,lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
    return line === '' || line.startsWith('Z') ? undefined : line.replace(/^\S+\s+/, '');
  } catch {
    return undefined;
  }
}

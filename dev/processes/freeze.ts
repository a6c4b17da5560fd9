import { execFileSync, spawn } from 'node:child_process';
import { signal } from './identify';

/** A process that hangs with everything below it, until it is let go. */
export interface Frozen {
  /** Harmless twice, and when the processes are gone. */
  thaw(): void;
}

/**
 * Stops a process and all its descendants (SIGSTOP): connections to it are accepted by the system, and nothing answers. A shell of
 * its own lets them go after `atMostMs`, so that nothing hangs for ever when this process is killed meanwhile.
 */
export function freeze(pid: number, atMostMs: number): Frozen {
  const frozen = stopWithChildren(pid);
  const letGo = 'sleep "$0"; for pid; do kill -s CONT "$pid" 2>/dev/null; done';
  const guard = spawn('sh', ['-c', letGo, String(atMostMs / 1_000), ...frozen.map(String)], {
    detached: true,
    cwd: '/',
    stdio: 'ignore',
  });
  guard.once('error', () => undefined);
  guard.unref();
  return {
    thaw() {
      for (const one of frozen.toReversed()) signal(one, 'SIGCONT');
    },
  };
}

/** The parent first, so that it makes no further child while its children are looked for. */
function stopWithChildren(pid: number): number[] {
  if (!signal(pid, 'SIGSTOP')) return [];
  return [pid, ...childrenOf(pid).flatMap(stopWithChildren)];
}

/** The system's own list: a child may be in a group and session of its own, as those of Postgres are. */
function childrenOf(pid: number): number[] {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n');
  return lines.flatMap((line) => {
    const [child, parent] = line.trim().split(/\s+/).map(Number);
    return parent === pid && child !== undefined ? [child] : [];
  });
}

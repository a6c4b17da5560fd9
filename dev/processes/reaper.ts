import { type ChildProcess, spawn } from 'node:child_process';

/**
 * Ends our processes when we are killed and cannot do it ourselves. The reaper is a shell in a session of its own
 * that is told each pid over a pipe. When the pipe closes, the reaper stops the processes that are still on its list
 * and kills them after `graceSeconds`. A shell takes a megabyte; another Node process would take forty.
 */
export interface Reaper {
  add(pid: number, signal: string): void;
  drop(pid: number): void;
  close(): Promise<void>;
}

const SCRIPT = `
rounds=$1
list=
while read -r verb pid signal; do
  case $verb in
    add) list="$list $pid:$signal" ;;
    drop) kept=; for one in $list; do [ "\${one%%:*}" = "$pid" ] || kept="$kept $one"; done; list=$kept ;;
  esac
done
for one in $list; do kill -s "\${one##*:}" "\${one%%:*}"; done
round=0
while [ $round -lt $rounds ]; do
  alive=
  for one in $list; do kill -0 "\${one%%:*}" && alive=1; done
  [ -n "$alive" ] || exit 0
  sleep 0.5
  round=$((round + 1))
done
for one in $list; do kill -s KILL "\${one%%:*}"; done
`;

export function startReaper(graceSeconds = 10): Reaper {
  const shell = spawn('sh', ['-c', SCRIPT, 'reaper', String(graceSeconds * 2)], {
    detached: true,
    cwd: '/',
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  shell.once('error', () => undefined); // no shell: the next start still finds what is left
  shell.stdin.on('error', () => undefined);
  shell.unref();
  const tell = (line: string) => void shell.stdin.write(`${line}\n`);
  return {
    add: (pid, signal) => tell(`add ${pid} ${signal.replace(/^SIG/, '')}`),
    drop: (pid) => tell(`drop ${pid}`),
    close: () => close(shell),
  };
}

async function close(shell: ChildProcess): Promise<void> {
  if (shell.exitCode !== null || shell.signalCode !== null) return;
  // Whoever waits for it alone would end before, with what is still to be done and the exit code of a success.
  shell.ref();
  const ended = new Promise<void>((resolve) => shell.once('close', () => resolve()));
  shell.stdin?.end();
  await ended;
}

/** Being told to stop: by a signal, or because the npm that started this process was. */
export interface StopSignals {
  first: Promise<void>;
  /** Told once more: somebody does not want to wait. */
  second: Promise<void>;
  /** Aborted when it is told first. */
  signal: AbortSignal;
}

// The terminal sends Ctrl-C to every process, and npm passes it on to this one again: both are one.
const SAME_MS = 500;
const PARENT_CHECK_MS = 500;

export function untilToldToStop(): StopSignals {
  const controller = new AbortController();
  let tellFirst = () => {};
  let tellSecond = () => {};
  const first = new Promise<void>((resolve) => {
    tellFirst = resolve;
  });
  const second = new Promise<void>((resolve) => {
    tellSecond = resolve;
  });
  let since: number | undefined;
  const told = () => {
    const now = performance.now();
    if (since === undefined) {
      since = now;
      tellFirst();
      controller.abort();
    } else if (now - since > SAME_MS) tellSecond();
  };
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, told);
  // A terminal that was closed, or `| head`: the output is lost, the stop must not be.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  watchNpm(told);
  return { first, second, signal: controller.signal };
}

/**
 * A `kill` of npm ends npm and its shell, and the shell passes nothing on: this process would go on with nobody to
 * stop it. The parent of a process under npm changes for no other reason.
 */
function watchNpm(told: () => void): void {
  if (!process.env.npm_lifecycle_event) return;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    told();
  }, PARENT_CHECK_MS);
  timer.unref();
}

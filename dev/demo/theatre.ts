import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { isRunning, signal, until } from '../processes/identify';
import { lockHolder } from '../processes/lock';
import { livingChildren, lockFile } from '../processes/run-file';
import { type PlatformUrls, type RunningPlatform, startPlatform, urlsOf } from '../stack/platform';
import { planProcesses, WORKER_NAMES } from '../stack/process-plan';
import { readSettings } from '../stack/settings';
import { type Calendar, calendarOf } from './calendar';
import { type DatabaseHolder, databaseHolderOf } from './database-holder';
import { ExpectationError } from './gateway';
import type { Stage } from './stage';

const BOOKING_WORKER = 'worker-booking';
// By default all workers share a process. Then that process is killed.
const WORKER_PROCESSES = [BOOKING_WORKER, 'workers'];
const BACK_WITHIN_MS = 60_000;

export interface Theatre {
  urls: PlatformUrls;
  namespace: string;
  /** Undefined: the platform ran before the demo, and goes on after it. */
  started: RunningPlatform | undefined;
  calendar: Calendar | undefined;
  holder: DatabaseHolder | undefined;
  killBookingWorker: Stage['killBookingWorker'];
}

/**
 * Takes the platform that runs on the data folder, or starts one.
 * @throws Error for a person to read: a live Stripe key, a platform that is not ready, whatever keeps one from starting
 */
export async function openTheatre(options: {
  settings?: Record<string, string>;
  say: (line: string) => void;
  signal: AbortSignal;
}): Promise<Theatre> {
  const settings = readSettings(options.settings);
  const { config } = settings;
  if (/^(?:sk|rk)_live_/.test(config.STRIPE_SECRET_KEY)) {
    throw new Error('STRIPE_SECRET_KEY is a live key, and the demo charges cards: take it away, or set a test key');
  }
  const common = {
    namespace: config.TEMPORAL_NAMESPACE,
    calendar: calendarOf(config),
    holder: databaseHolderOf(config),
    killBookingWorker: () => killWorker(config.DATA_DIR),
  };
  if (!lockHolder(lockFile(config.DATA_DIR))) {
    const { services = [] } = planProcesses([], false);
    const others = WORKER_NAMES.filter((name) => name !== 'worker:booking');
    const processes = { services, workers: others, [BOOKING_WORKER]: ['worker:booking'] };
    const started = await startPlatform({ ...options, processes });
    return { ...common, urls: started.urls, started };
  }
  const urls = urlsOf(settings);
  const health = `${config.serviceUrl.gateway}/healthz`;
  const answers = await request(health).then(
    async ({ statusCode, body }) => {
      await body.dump();
      return statusCode === 200;
    },
    () => false,
  );
  if (!answers) {
    throw new Error(
      `A platform runs on ${config.DATA_DIR}, but its gateway does not answer at ${urls.gateway}: wait until it is ready, or stop it and the demo starts its own`,
    );
  }
  options.say(`Using the platform that runs at ${urls.gateway}`);
  return { ...common, urls, started: undefined };
}

async function killWorker(dataDir: string): Promise<{ killed: number; startedAgain: Promise<number> }> {
  const find = (process: string) => livingChildren(dataDir).find(({ name }) => name === process);
  const victim = WORKER_PROCESSES.map(find).find(Boolean);
  if (!victim) throw new ExpectationError('There is no worker of the booking sagas to kill');
  signal(victim.pid, 'SIGKILL');
  await until(() => !isRunning(victim), 5_000, 10);
  const startedAgain = async () => {
    const deadline = performance.now() + BACK_WITHIN_MS;
    while (performance.now() < deadline) {
      const next = find(victim.name);
      if (next && next.pid !== victim.pid) return next.pid;
      await sleep(50);
    }
    throw new ExpectationError(`The worker was not started again within ${BACK_WITHIN_MS / 1_000} s`);
  };
  return { killed: victim.pid, startedAgain: startedAgain() };
}

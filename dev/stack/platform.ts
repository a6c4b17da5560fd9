import { CONTEXT_NAMES } from '../../kernel/modules';
import type { Config } from '../../platform/config';
import { requireFreePort } from '../machine/ports';
import { lockHolder, tryLock } from '../processes/lock';
import { lockFile, stopLeftBehind } from '../processes/run-file';
import { createSupervisor, type Supervisor } from '../processes/supervisor';
import { graceMs, startParts } from './parts';
import { isWorker, type PlannedProcess, type ProcessPlan, planProcesses, processesOf } from './process-plan';
import { readSettings, type Settings } from './settings';

export interface PlatformOptions {
  /** Settings that win over the environment and `.env`; an empty string takes one away. */
  settings?: Record<string, string>;
  /** Default `.env`; one that does not exist is none. */
  envFile?: string;
  /** Services (each with the workers of its sagas) and workers; default all. */
  names?: readonly string[];
  /** Each service and worker in a process of its own, so that each can be killed alone. */
  isolated?: boolean;
  /** Which names run in which process, instead of `names` and `isolated`. */
  processes?: ProcessPlan;
  /** Settings of services and workers alone: where something stands between them and a part that is started here. */
  productSettings?: Record<string, string>;
  say?: (line: string) => void;
  /** Aborted: what was started is stopped, and `startPlatform` rejects. */
  signal?: AbortSignal;
}

/** Where a running platform is reached. Undefined: given by a setting, so not ours to show. */
export interface PlatformUrls {
  gateway: string;
  docs: string;
  temporalUi: string;
  mailInbox: string | undefined;
  stripeSandbox: string | undefined;
}

export interface RunningPlatform extends Pick<Supervisor, 'children' | 'kill' | 'halt' | 'resume'> {
  config: Config;
  /** All settings of the children, by name. */
  environment: Readonly<Record<string, string>>;
  urls: PlatformUrls;
  /** Where each process of the product is looked after, by its name: `/healthz`, `/readyz` and `/metrics`. */
  management: Readonly<Record<string, string>>;
  tookMs: number;
  /** Stops workers, services and what they rest on, in this order. Harmless twice. */
  stop(): Promise<void>;
  /** Ends everything at once. What is running is found and finished by the next start. */
  killAll(): Promise<void>;
}

const INFRASTRUCTURE = [['mail', 'stripe-sandbox'], ['temporal'], ['postgres']];

/**
 * Starts what the settings do not name (Postgres, Temporal, mail catcher, Stripe sandbox), prepares databases and Temporal's
 * namespace, then runs the product's processes and keeps all of them alive. Several platforms run beside each other when
 * each has its own DATA_DIR and ports.
 * @throws Error for a person to read; whatever had been started is stopped by then
 */
export async function startPlatform(options: PlatformOptions = {}): Promise<RunningPlatform> {
  const started = performance.now();
  const say = options.say ?? (() => undefined);
  const settings = readSettings(options.settings, options.envFile);
  const { config } = settings;
  const plan = options.processes ?? planProcesses(options.names ?? [], options.isolated ?? false, config.contexts);
  const processes = processesOf(plan, config.MANAGEMENT_PORT);
  const release = await takeDataFolder(config.DATA_DIR);
  let supervisor: Supervisor | undefined;
  const stop = once(async () => {
    const workers = Object.keys(plan).filter((name) => plan[name]?.every(isWorker));
    const services = Object.keys(plan).filter((name) => !workers.includes(name));
    await supervisor?.stopAll([workers, services, ...INFRASTRUCTURE]);
    release();
  });
  try {
    await stopLeftBehind(config.DATA_DIR, graceMs(config), say);
    await requireFreePorts(settings, processes);
    warn(settings, say);
    supervisor = createSupervisor({ dataDir: config.DATA_DIR, say });
    await unlessAborted(
      options.signal,
      startParts(supervisor, settings, { processes, productSettings: options.productSettings }, say),
    );
  } catch (error) {
    await stop();
    throw error;
  }
  const { children, kill, halt, resume, killAll } = supervisor;
  return {
    config,
    children,
    kill,
    halt,
    resume,
    stop,
    environment: settings.environment,
    urls: urlsOf(settings),
    management: Object.fromEntries(
      processes.map(({ name, managementPort }) => [name, `http://127.0.0.1:${managementPort}`]),
    ),
    tookMs: performance.now() - started,
    async killAll() {
      await killAll();
      release();
    },
  };
}

/** @throws Error when another process runs a platform on this folder */
async function takeDataFolder(dataDir: string): Promise<() => void> {
  const release = await tryLock(lockFile(dataDir));
  if (release) return release;
  const holder = lockHolder(lockFile(dataDir));
  throw new Error(
    `A platform runs on ${dataDir} already (process ${holder?.pid ?? 'unknown'}): stop it, or set DATA_DIR and the ports to others`,
  );
}

/** Says what works otherwise than a person may expect. */
function warn({ embedded, environment, secrets }: Settings, say: (line: string) => void): void {
  if (embedded.stripe) return;
  const isMade = (name: 'STRIPE_WEBHOOK_SECRET' | 'STRIPE_CONNECT_WEBHOOK_SECRET') =>
    environment[name] === secrets[name];
  if (isMade('STRIPE_WEBHOOK_SECRET'))
    say('STRIPE_WEBHOOK_SECRET is not set: webhooks of this Stripe account are refused, payments are found by polling');
  if (isMade('STRIPE_CONNECT_WEBHOOK_SECRET'))
    say('STRIPE_CONNECT_WEBHOOK_SECRET is not set: webhooks of connected accounts are refused');
}

/** Checks the ports before anything that takes long, so that a port in use is told at once. */
async function requireFreePorts({ config, embedded }: Settings, processes: PlannedProcess[]): Promise<void> {
  const names = new Set(processes.flatMap(({ args }) => args));
  for (const context of CONTEXT_NAMES) {
    if (!names.has(context)) continue;
    await requireFreePort(config.servicePort[context], `${context.toUpperCase()}_PORT`, config.HOST);
  }
  for (const { managementPort } of processes) {
    await requireFreePort(managementPort, 'MANAGEMENT_PORT', config.MANAGEMENT_HOST);
  }
  if (embedded.mail) {
    await requireFreePort(config.MAIL_SMTP_PORT, 'MAIL_SMTP_PORT');
    await requireFreePort(config.MAIL_UI_PORT, 'MAIL_UI_PORT');
  }
  if (embedded.stripe) await requireFreePort(config.STRIPE_SANDBOX_PORT, 'STRIPE_SANDBOX_PORT');
}

/** Where the platform of these settings is reached, running or not. */
export function urlsOf({ config, embedded }: Settings): PlatformUrls {
  return {
    gateway: config.PUBLIC_URL,
    docs: `${config.PUBLIC_URL}/docs`,
    temporalUi: config.TEMPORAL_UI_URL,
    mailInbox: embedded.mail ? `http://127.0.0.1:${config.MAIL_UI_PORT}` : undefined,
    stripeSandbox: embedded.stripe ? `http://127.0.0.1:${config.STRIPE_SANDBOX_PORT}` : undefined,
  };
}

async function unlessAborted(signal: AbortSignal | undefined, work: Promise<void>): Promise<void> {
  if (!signal) return work;
  work.catch(() => undefined); // the work fails when what it starts is stopped, and by then nobody asks
  const aborted = new Promise<never>((_, reject) => {
    const refuse = () => reject(new Error('Told to stop while starting'));
    if (signal.aborted) refuse();
    else signal.addEventListener('abort', refuse, { once: true });
  });
  aborted.catch(() => undefined);
  await Promise.race([work, aborted]);
}

function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => {
    done ??= work();
    return done;
  };
}

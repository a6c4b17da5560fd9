import { z } from 'zod';
import type { Config } from '../../platform/config';
import { compiledPath } from '../machine/paths';
import { answersAt } from '../machine/ports';
import { runCommand } from '../machine/run-command';
import { embeddedPostgres } from '../postgres/server';
import type { ChildSpec } from '../processes/child';
import { nodeChild } from '../processes/node-children';
import type { Supervisor } from '../processes/supervisor';
import { embeddedTemporal } from '../temporal/server';
import { isWorker, type PlannedProcess } from './process-plan';
import type { Settings } from './settings';

/** How long a process of the product may take to stop: what its running work is given, and a little to end itself. */
export const graceMs = (config: Config) => (config.SHUTDOWN_GRACE_SECONDS + 15) * 1_000;

// The mail catcher and the sandbox hold nothing that takes long to end.
const HELPER_GRACE_MS = 5_000;

/**
 * Starts the parts of a platform in the order in which they need each other, and side by side where they do not:
 * (Postgres → databases) ∥ (Temporal → namespace) ∥ mail catcher ∥ Stripe sandbox, then the product's processes.
 * @throws Error of the first part that does not start
 */
export async function startParts(
  supervisor: Supervisor,
  settings: Settings,
  { processes, productSettings }: { processes: PlannedProcess[]; productSettings?: Record<string, string> | undefined },
  say: (line: string) => void,
): Promise<void> {
  const { config, embedded } = settings;
  const [databases] = await Promise.all([
    startDatabases(supervisor, settings, say),
    startTemporal(supervisor, settings, say),
    embedded.mail && supervisor.start(mailCatcher(settings)),
    embedded.stripe && supervisor.start(stripeSandbox(settings)),
  ]);
  Object.assign(settings.environment, databases);
  // The role secret gives the password of every role. A service only gets its own, in its connection string.
  const { DATABASE_ROLE_SECRET: _, ...own } = settings.environment;
  const env = { ...own, ...productSettings };
  say(`Starting ${processes.flatMap(({ args }) => args).join(', ')}`);
  const common = { script: 'main.js', dataDir: config.DATA_DIR, ready: { line: /^ready$/ } };
  await Promise.all(
    processes.map(({ name, args, managementPort }) =>
      supervisor.start(
        nodeChild({
          name,
          args,
          env: { ...env, MANAGEMENT_PORT: String(managementPort) },
          ...common,
          graceMs: graceMs(config),
          memory: args.every(isWorker) ? 'workers' : 'services',
        }),
      ),
    ),
  );
}

/** @returns the settings that give each context its connection string */
async function startDatabases(
  supervisor: Supervisor,
  { config, secrets, environment, embedded }: Settings,
  say: (line: string) => void,
): Promise<Record<string, string>> {
  let serverUrl = config.DATABASE_URL;
  if (embedded.postgres) {
    say(`Starting PostgreSQL on port ${config.POSTGRES_PORT}`);
    const { DATA_DIR: dataDir, POSTGRES_PORT: port } = config;
    const server = await embeddedPostgres({ dataDir, port, password: secrets.POSTGRES_PASSWORD, say });
    await supervisor.start(server.spec);
    serverUrl = server.url;
  }
  return prepare('dev/prepare.js', say, {
    ...environment,
    PREPARE_DATABASE_SERVER: serverUrl ?? '',
    PREPARE_EMBEDDED: String(embedded.postgres),
  });
}

async function startTemporal(
  supervisor: Supervisor,
  { config, environment, embedded }: Settings,
  say: (line: string) => void,
): Promise<void> {
  if (embedded.temporal) {
    say(`Starting Temporal on port ${config.TEMPORAL_PORT}`);
    await supervisor.start(await embeddedTemporal(config, say));
  }
  await prepare('scripts/prepare-temporal.js', say, environment);
}

const settingsSchema = z.record(z.string(), z.string());

/** Runs a step of the preparation and returns the settings it found out. @throws Error with what it said */
async function prepare(
  script: string,
  say: (line: string) => void,
  env: NodeJS.ProcessEnv,
): Promise<Record<string, string>> {
  let settings: Record<string, string> = {};
  const args = ['--disable-warning=ExperimentalWarning', compiledPath(script)];
  const { code, errors } = await runCommand(process.execPath, args, {
    env,
    cwd: env.DATA_DIR, // there is no .env in this folder: the environment holds all
    onLine(line, stream) {
      if (stream !== 'stdout') return;
      if (line.startsWith('settings ')) settings = settingsSchema.parse(JSON.parse(line.slice('settings '.length)));
      else say(line);
    },
  });
  if (code !== 0) throw new Error(errors || `${script} ended early`);
  return settings;
}

function mailCatcher({ config, environment: env }: Settings): ChildSpec {
  return nodeChild({
    name: 'mail',
    memory: 'helper',
    script: 'dev/mail.js',
    env,
    dataDir: config.DATA_DIR,
    ready: { probe: async () => (await answersAt(config.MAIL_UI_PORT)) && answersAt(config.MAIL_SMTP_PORT) },
    graceMs: HELPER_GRACE_MS,
  });
}

function stripeSandbox({ config, environment }: Settings): ChildSpec {
  return nodeChild({
    name: 'stripe-sandbox',
    memory: 'helper',
    script: 'dev/stripe-sandbox/main.js',
    env: { ...environment, STRIPE_WEBHOOK_URL: `${config.serviceUrl.gateway}/api/stripe/webhooks` },
    dataDir: config.DATA_DIR,
    ready: { probe: () => answersAt(config.STRIPE_SANDBOX_PORT) },
    graceMs: HELPER_GRACE_MS,
  });
}

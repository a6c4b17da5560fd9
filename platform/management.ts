import express, { type RequestHandler } from 'express';
import { ProblemError } from '../kernel/errors';
import type { Config } from './config';
import { answerErrors, nothingHere, requestContext } from './http-server';
import { type Listening, listenOrExplain } from './listen';
import { createLogger, metrics } from './telemetry';

/** Whether a part of a process can do its work. `degraded` names what is out of order and not needed for that. */
export interface Readiness {
  ready: boolean;
  degraded?: readonly string[];
}

/** A service or worker of a process. It cannot be asked while it starts or stops, and is not ready then. */
export interface ProcessPart {
  name: string;
  readiness: (() => Promise<Readiness>) | undefined;
}

/**
 * Opens the port by which this process is looked after: `/healthz` (it lives), `/readyz` (every part of it is ready; else 503, with
 * the names of those that are not) and `/metrics`. It is for probes and operators, never for clients, and there is one for each process,
 * whatever that runs. @throws Error naming the setting when the port is not to be had
 */
export function startManagement(config: Config, parts: () => ProcessPart[]): Promise<Listening> {
  const logger = createLogger('management', config.LOG_LEVEL);
  const answers: Record<string, RequestHandler> = {
    '/healthz': (_request, response) => void response.json({ status: 'ok' }),
    '/readyz': async (_request, response) => {
      const { status, ...body } = await readinessOf(parts());
      response.status(status === 'not_ready' ? 503 : 200).json({ status, ...body });
    },
    '/metrics': async (_request, response) => void response.type(metrics.contentType).send(await metrics.metrics()),
  };
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('case sensitive routing', true);
  app.set('strict routing', true);
  app.use(requestContext({ name: 'management', logger }));
  for (const [path, answer] of Object.entries(answers)) {
    app.get(path, answer);
    app.all(path, (_request, response) => {
      response.set('Allow', 'GET, HEAD');
      throw new ProblemError('method_not_allowed');
    });
  }
  app.use(nothingHere);
  app.use(answerErrors(logger));
  return listenOrExplain(app, {
    host: config.MANAGEMENT_HOST,
    port: config.MANAGEMENT_PORT,
    settings: { host: 'MANAGEMENT_HOST', port: 'MANAGEMENT_PORT' },
  });
}

/** The readiness of all parts together. */
async function readinessOf(parts: ProcessPart[]) {
  const states = await Promise.all(
    parts.map(async ({ name, readiness }) => ({ name, ...((await readiness?.()) ?? { ready: false }) })),
  );
  const notReady = states.filter(({ ready }) => !ready).map(({ name }) => name);
  const degraded = [...new Set(states.flatMap((state) => state.degraded ?? []))].toSorted();
  const status = notReady.length > 0 ? 'not_ready' : degraded.length > 0 ? 'degraded' : 'ready';
  return { status, degraded, notReady };
}

const PROBE_MS = 1_000;

/** Whether `probe` succeeds within a second: what hangs counts as away. */
export async function answers(probe: () => Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), PROBE_MS);
  });
  const ok = probe().then(
    () => true,
    () => false,
  );
  return Promise.race([ok, late]).finally(() => clearTimeout(timer));
}

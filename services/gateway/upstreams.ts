import { Pool } from 'undici';
import { ROUTED_CONTEXTS, type RoutedContext } from '../../kernel/modules';
import type { Config } from '../../platform/config';
import { listeningAt, type TakeRequest } from '../../platform/listen';

/** How long the gateway waits, in milliseconds. */
export interface Patience {
  /** For a connection to a service. */
  connect: number;
  /** For a service's answer to begin. Services answer sagas within 10 s, so a later answer is a fault. */
  answer: number;
  /** Between two parts of a reply. */
  pause: number;
  /** For a client's whole body of at most 100 KiB: about 10 KB/s, slower than any usable line. */
  body: number;
  /** For the small questions the gateway asks itself: health, API description. */
  probe: number;
}

export const PATIENCE: Patience = { connect: 2_000, answer: 20_000, pause: 10_000, body: 10_000, probe: 1_500 };

/** More than a service with its few database connections can work on at once; the rest waits here and not there. */
const CONNECTIONS = 256;

/** The connections to one service. Each service has a pool of its own, so that one that hangs takes none from another. */
export interface Upstream {
  context: RoutedContext;
  pool: Pool;
  /** Path before every path of the service, when its URL has one. */
  base: string;
  /** The service itself, while it runs in this process: reads are handed to it without a connection. */
  here(): TakeRequest | undefined;
}

export interface Upstreams {
  /** The contexts behind the gateway that run. */
  contexts: readonly RoutedContext[];
  of(context: RoutedContext): Upstream;
  /** GETs `path` of one service. @throws when there is no answer in time or its status is not 200. */
  get(context: RoutedContext, path: string, headers?: Record<string, string>): Promise<unknown>;
  close(): Promise<void>;
}

export function openUpstreams(config: Config, patience: Patience): Upstreams {
  const contexts = ROUTED_CONTEXTS.filter((context) => config.contexts.has(context));
  const byContext = new Map<RoutedContext, Upstream>();
  for (const context of contexts) {
    const url = new URL(config.serviceUrl[context]);
    const pool = new Pool(url.origin, {
      connections: CONNECTIONS,
      // Below the 65 s after which services close an idle connection, so that none is closed in the moment of its use.
      keepAliveTimeout: 30_000,
      connect: { timeout: patience.connect },
      // The wait for an answer is measured from the client's point of view, queueing included: see proxy/forward.ts.
      headersTimeout: 0,
      bodyTimeout: patience.pause,
    });
    const base = url.pathname.replace(/\/$/, '');
    byContext.set(context, { context, pool, base, here: () => (base === '' ? listeningAt(url) : undefined) });
  }
  const of = (context: RoutedContext): Upstream => {
    const upstream = byContext.get(context);
    if (!upstream) throw new Error(`${context} has no upstream`);
    return upstream;
  };
  return {
    contexts,
    of,
    async get(context, path, headers = {}) {
      const { pool, base } = of(context);
      const signal = AbortSignal.timeout(patience.probe);
      const reply = await pool.request({ method: 'GET', path: `${base}${path}`, headers, signal });
      if (reply.statusCode !== 200) {
        await reply.body.dump();
        throw new Error(`${context} answered ${reply.statusCode} at ${path}`);
      }
      return reply.body.json();
    },
    async close() {
      await Promise.all([...byContext.values()].map(({ pool }) => pool.destroy()));
    },
  };
}

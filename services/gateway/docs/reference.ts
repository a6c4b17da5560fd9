import type { z } from 'zod';
import type { RoutedContext } from '../../../kernel/modules';
import type { Logger } from '../../../platform/telemetry';
import type { Upstreams } from '../upstreams';
import { mergeTopics, ServiceTopics } from './asyncapi';
import { mergeDocuments, ReferenceConflict, ServiceDocument } from './openapi';

const FRESH_MS = 30_000;
/** While a part is missing it is looked for more often. */
const FRESH_DEGRADED_MS = 2_000;

export interface CurrentReference {
  /** The document as JSON. Its `x-degraded` member repeats `degraded`. */
  json: string;
  /** Contexts whose part is missing or contradicts the others', or is an earlier copy because they do not answer. */
  degraded: RoutedContext[];
}

/** The document as it stands; those who ask at the same time share one round of questions. */
export type ReadReference = () => Promise<CurrentReference>;

type Asked = Pick<Upstreams, 'contexts' | 'get'>;

/** The API reference: what can be asked of the services. */
export function apiReference(upstreams: Asked, publicUrl: string, logger: Logger): ReadReference {
  return gathered(upstreams, logger, {
    path: '/openapi.json',
    part: ServiceDocument,
    merge: (parts) => mergeDocuments(upstreams.contexts, parts, publicUrl),
  });
}

/** The reference of events: what services tell. */
export function eventReference(upstreams: Asked, publicUrl: string, logger: Logger): ReadReference {
  return gathered(upstreams, logger, {
    path: '/asyncapi.json',
    part: ServiceTopics,
    merge: (parts) => mergeTopics(upstreams.contexts, parts, publicUrl),
  });
}

interface Gathering<Part> {
  /** Where every service has its part. */
  path: string;
  part: z.ZodType<Part>;
  /** @throws ReferenceConflict naming a context whose part contradicts the others' */
  merge(parts: ReadonlyMap<RoutedContext, Part>): object;
}

/**
 * A document of all services, gathered from them when somebody asks and kept for half a minute. A service that is down is
 * represented by the last copy it gave; one that contradicts the others is left out, and the log says why.
 */
function gathered<Part>(upstreams: Asked, logger: Logger, { path, part, merge }: Gathering<Part>): ReadReference {
  const copies = new Map<RoutedContext, Part>();
  let kept: { until: number; reference: Promise<CurrentReference> } | undefined;

  async function gather(): Promise<CurrentReference> {
    const degraded: RoutedContext[] = [];
    await Promise.all(
      upstreams.contexts.map(async (context) => {
        try {
          copies.set(context, part.parse(await upstreams.get(context, path)));
        } catch (error) {
          logger.warn({ err: error, context, path }, 'no API description');
          degraded.push(context);
        }
      }),
    );
    const reference = mergeAll(degraded);
    degraded.sort();
    return {
      json: JSON.stringify(degraded.length > 0 ? { ...reference, 'x-degraded': degraded } : reference),
      degraded,
    };
  }

  /** Merges all copies; a context that contradicts the others is left out and added to `degraded`. */
  function mergeAll(degraded: RoutedContext[]): object {
    const parts = new Map(copies);
    for (;;) {
      try {
        return merge(parts);
      } catch (error) {
        if (!(error instanceof ReferenceConflict) || !parts.delete(error.context)) throw error;
        logger.error({ err: error, context: error.context }, 'left out of the API reference');
        if (!degraded.includes(error.context)) degraded.push(error.context);
      }
    }
  }

  return async function current(): Promise<CurrentReference> {
    if (kept && kept.until > performance.now()) return kept.reference;
    const reference = gather();
    const asked = { until: Number.POSITIVE_INFINITY, reference };
    kept = asked;
    try {
      const { degraded } = await reference;
      asked.until = performance.now() + (degraded.length > 0 ? FRESH_DEGRADED_MS : FRESH_MS);
    } catch (error) {
      kept = undefined;
      throw error;
    }
    return reference;
  };
}

import type { RoutedContext } from '../../../kernel/modules';
import type { Logger } from '../../../platform/telemetry';
import type { Upstreams } from '../upstreams';
import { mergeDocuments, type Reference, ReferenceConflict, ServiceDocument } from './openapi';

const FRESH_MS = 30_000;
/** While a part is missing it is looked for more often. */
const FRESH_DEGRADED_MS = 2_000;

export interface CurrentReference {
  /** The OpenAPI document as JSON. Its `x-degraded` member repeats `degraded`. */
  json: string;
  /** Contexts whose part is missing or contradicts the others', or is an earlier copy because they do not answer. */
  degraded: RoutedContext[];
}

/**
 * The API reference, gathered from the services when somebody asks and kept for half a minute. A service that is down is
 * represented by the last copy it gave; one that contradicts the others is left out, and the log says why.
 */
export function apiReference(upstreams: Pick<Upstreams, 'contexts' | 'get'>, publicUrl: string, logger: Logger) {
  const copies = new Map<RoutedContext, ServiceDocument>();
  let kept: { until: number; reference: Promise<CurrentReference> } | undefined;

  async function gather(): Promise<CurrentReference> {
    const degraded: RoutedContext[] = [];
    await Promise.all(
      upstreams.contexts.map(async (context) => {
        try {
          copies.set(context, ServiceDocument.parse(await upstreams.get(context, '/openapi.json')));
        } catch (error) {
          logger.warn({ err: error, context }, 'no API description');
          degraded.push(context);
        }
      }),
    );
    const reference = merge(degraded);
    degraded.sort();
    return {
      json: JSON.stringify(degraded.length > 0 ? { ...reference, 'x-degraded': degraded } : reference),
      degraded,
    };
  }

  /** Merges all copies; a context that contradicts the others is left out and added to `degraded`. */
  function merge(degraded: RoutedContext[]): Reference {
    const parts = new Map(copies);
    for (;;) {
      try {
        return mergeDocuments(upstreams.contexts, parts, publicUrl);
      } catch (error) {
        if (!(error instanceof ReferenceConflict) || !parts.delete(error.context)) throw error;
        logger.error({ err: error, context: error.context }, 'left out of the API reference');
        if (!degraded.includes(error.context)) degraded.push(error.context);
      }
    }
  }

  /** The reference as it stands; those who ask at the same time share one round of questions. */
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

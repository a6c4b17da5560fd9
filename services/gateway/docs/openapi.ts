import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { ERROR_CODES, type ErrorCode } from '../../../kernel/errors';
import { contextOf, type RoutedContext } from '../../../kernel/modules';
import { destinationOf, isSigned } from '../rules';

const Response = z.looseObject({ description: z.string() });
const Operation = z.looseObject({
  operationId: z.string(),
  requestBody: z.unknown().optional(),
  responses: z.record(z.string(), Response),
});
const Components = z.record(z.string(), z.record(z.string(), z.unknown()));

/** The parts of a service's own OpenAPI document that are taken over. */
export const ServiceDocument = z.object({
  openapi: z.string().startsWith('3.1.'),
  paths: z
    .record(z.string(), z.partialRecord(z.enum(['get', 'put', 'post', 'patch', 'delete']), Operation))
    .default({}),
  components: Components.default({}),
});

export type ServiceDocument = z.output<typeof ServiceDocument>;
type Operation = z.output<typeof Operation>;

/** The services mean different things by one name, so no single document can describe both. */
export class ReferenceConflict extends Error {
  override readonly name = 'ReferenceConflict';
  constructor(
    /** The later of the two in the routing table. */
    readonly context: RoutedContext,
    message: string,
  ) {
    super(message);
  }
}

/**
 * One OpenAPI 3.1 document of everything that is reached through the gateway: each service's operations under the paths
 * the gateway routes to it, tagged with their context, with the refusals the gateway adds, and the components they share.
 * @throws ReferenceConflict when services use one component name or operationId for different things
 */
export function mergeDocuments(
  contexts: readonly RoutedContext[],
  documents: ReadonlyMap<RoutedContext, ServiceDocument>,
  publicUrl: string,
) {
  const paths: Record<string, Record<string, unknown>> = {};
  const components: Record<string, Record<string, unknown>> = { headers: { RetryAfter } };
  const operationIds = new Map<string, RoutedContext>();
  for (const context of contexts) {
    const document = documents.get(context);
    if (!document) continue;
    for (const [kind, named] of Object.entries(document.components)) {
      components[kind] = addComponents(components[kind] ?? {}, named, context, kind);
    }
    for (const [path, item] of Object.entries(document.paths)) {
      if (destinationOf(path.replaceAll(/[{}]/g, ''))?.context !== context) continue;
      for (const [method, operation] of Object.entries(item)) {
        const holder = operationIds.get(operation.operationId);
        if (holder) throw new ReferenceConflict(context, `${holder} has an operation ${operation.operationId} as well`);
        operationIds.set(operation.operationId, context);
        paths[path] = { ...paths[path], [method]: seenThroughGateway(operation, context, method, path) };
      }
    }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'TutorConnect API',
      version: '1.0.0',
      description: DESCRIPTION,
      contact: { name: 'TutorConnect', url: `${publicUrl}/docs` },
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: publicUrl }],
    tags: contexts.map((context) => ({ name: context, description: contextOf(context).about })),
    paths,
    components,
  };
}

type Named = Record<string, unknown>;

function addComponents(known: Named, added: Named, context: RoutedContext, kind: string): Named {
  for (const [name, component] of Object.entries(added)) {
    if (Object.hasOwn(known, name) && !isDeepStrictEqual(known[name], component))
      throw new ReferenceConflict(context, `components/${kind}/${name} of ${context} is not that of the others`);
  }
  return { ...known, ...added };
}

function seenThroughGateway(operation: Operation, context: RoutedContext, method: string, path: string): Operation {
  const codes: ErrorCode[] = ['upstream_unavailable', 'header_fields_too_large'];
  // A token is checked wherever one is sent, also where none is needed.
  if (!isSigned(method.toUpperCase(), path)) codes.push('unauthenticated', 'rate_limited');
  if (operation.requestBody !== undefined) codes.push('payload_too_large', 'request_timeout');
  const responses = { ...operation.responses };
  for (const code of codes) {
    const status = String(ERROR_CODES[code].status);
    const described = responses[status]?.description ?? '';
    const listed = described.includes(`\`${code}\``);
    responses[status] = {
      content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
      ...responses[status],
      description: listed ? described : [described, `\`${code}\``].filter(Boolean).join(', '),
    };
  }
  for (const status of ['429', '503']) {
    const response = responses[status];
    if (response) responses[status] = { headers: { 'Retry-After': { $ref: RETRY_AFTER } }, ...response };
  }
  // An empty list says that no token is needed, where silence would leave it open.
  return { security: [], ...operation, tags: [context], responses };
}

const RETRY_AFTER = '#/components/headers/RetryAfter';
const RetryAfter = { description: 'Seconds to wait before the next attempt', schema: { type: 'integer', minimum: 1 } };

const DESCRIPTION = [
  'A tutoring marketplace: people register, tutors publish profiles, students search, book and pay.',
  '',
  'Every path also works under `/api/v1/…`. Conventions:',
  '',
  '- **Errors** are RFC 9457 problem details with a `code`; `type` leads to [its explanation](/docs/errors).',
  '- **Idempotency-Key**: repeat a write with the same key and body and you get the first reply again, without a second',
  '  effect. Bookings, payments and refunds need one.',
  '- **Money** is an integer of minor units and an ISO 4217 code; **times** are ISO 8601 with offset; **ids** are UUIDs.',
  '- **Lists** are pages: pass `nextCursor` as `cursor` until it is `null`.',
  '- **Limits**: `RateLimit-Policy` and `RateLimit` tell what is left; a 429 or 503 says in `Retry-After` when to try again.',
  '- **X-Request-Id** is on every reply; quote it when you ask for help.',
].join('\n');

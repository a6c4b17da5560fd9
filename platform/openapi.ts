import { OpenAPIRegistry, OpenApiGeneratorV31, type RouteConfig } from '@asteasolutions/zod-to-openapi';
import { z } from 'zod';
import { CURRENCIES } from '../kernel/currencies';
import { ERROR_CODES, type ErrorCode } from '../kernel/errors';
import { withLimits } from './amounts';
import { type Access, asksSecondFactor, type Endpoint } from './endpoint';
import { IdempotencyKey, Problem } from './schemas';

export interface DocumentOptions {
  /** Whether internal operations are listed. */
  internal?: boolean;
  /** SETTLEMENT_CURRENCIES: the currencies in which an amount that is to be charged is taken. */
  settling?: readonly string[];
}

/** The OpenAPI 3.1 document of a contract. */
export function openApiDocument(
  title: string,
  contract: Readonly<Record<string, Endpoint>>,
  { internal = false, settling = CURRENCIES }: DocumentOptions = {},
) {
  const registry = new OpenAPIRegistry();
  registry.registerComponent('securitySchemes', 'userToken', { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' });
  for (const operation of Object.values(contract)) {
    if (operation.access === 'service' && !internal) continue;
    registry.registerPath(describe(title, operation));
  }
  const document = new OpenApiGeneratorV31(registry.definitions).generateDocument({
    openapi: '3.1.0',
    info: { title, version: '1.0.0', license: { name: 'MIT', identifier: 'MIT' } },
    servers: [{ url: '/' }],
  });
  return withLimits(document, settling);
}

function describe(tag: string, operation: Endpoint): RouteConfig {
  const signedIn = operation.access !== 'anonymous' && operation.access !== 'signed';
  const headers = idempotencyHeader(operation);
  return {
    method: operation.method,
    path: operation.path,
    operationId: operation.operationId,
    summary: operation.summary,
    description: [operation.description, whoMayCall(operation.access), aboutKeys(operation)].filter(Boolean).join(' '),
    tags: [tag],
    ...(signedIn && { security: [{ userToken: [] }] }),
    request: {
      ...(operation.params && { params: operation.params }),
      ...(operation.query && { query: operation.query }),
      ...(headers && { headers }),
      ...(operation.body && {
        body: { required: true, content: { 'application/json': { schema: operation.body } } },
      }),
    },
    responses: { ...successes(operation), ...problems(errorsOf(operation)) },
  };
}

function whoMayCall(access: Access): string {
  if (access === 'anonymous') return 'Anybody may call it.';
  if (access === 'service') return "Only the platform's own parts may call it.";
  if (access === 'signed') return 'Only a call with a valid signature is accepted.';
  if (typeof access === 'string') return 'Anybody who is signed in may call it.';
  return `Only for the role ${access.join(' or ')}.`;
}

function aboutKeys({ idempotency }: Endpoint): string | undefined {
  if (idempotency === 'required') return 'Needs an `Idempotency-Key`.';
  if (idempotency === 'undo') return 'Needs an `Idempotency-Key`: that of the step it undoes, with `/undo` behind it.';
  return idempotency === 'optional' ? 'Takes an `Idempotency-Key`.' : undefined;
}

function idempotencyHeader(operation: Endpoint) {
  const rule = operation.idempotency ?? 'none';
  if (rule === 'none') return undefined;
  const key = IdempotencyKey.meta({ description: 'Same key and body: the first reply again' });
  return z.object({ 'Idempotency-Key': rule === 'optional' ? key.optional() : key });
}

function successes(operation: Endpoint): RouteConfig['responses'] {
  const replies: RouteConfig['responses'] = {};
  for (const [status, schema] of Object.entries(operation.replies)) {
    replies[status] = {
      description: SUCCESS[status] ?? 'Success',
      ...(schema && { content: { [operation.media ?? 'application/json']: { schema } } }),
    };
  }
  return replies;
}

const SUCCESS: Record<string, string> = { 200: 'OK', 201: 'Created', 202: 'Accepted, still in progress', 204: 'Done' };

/** All refusals an operation can answer with: its own and those that its shape implies. */
function errorsOf(operation: Endpoint): ErrorCode[] {
  const codes: ErrorCode[] = ['rate_limited', 'internal', 'upstream_unavailable', 'header_fields_too_large'];
  if (operation.access !== 'anonymous' && operation.access !== 'signed') codes.push('unauthenticated');
  if (Array.isArray(operation.access)) codes.push('forbidden');
  if (asksSecondFactor(operation)) codes.push('second_factor_required');
  if (operation.params) codes.push('not_found');
  if (operation.query || operation.body) codes.push('validation_failed');
  if (operation.body) codes.push('malformed_body', 'payload_too_large', 'unsupported_media_type');
  const rule = operation.idempotency ?? 'none';
  if (rule !== 'none') codes.push('idempotency_in_progress', 'idempotency_key_reused', 'invalid_idempotency_key');
  if (rule === 'required' || rule === 'undo') codes.push('idempotency_key_required');
  return [...new Set([...codes, ...(operation.errors ?? [])])];
}

function problems(codes: ErrorCode[]): RouteConfig['responses'] {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of codes) {
    const status = ERROR_CODES[code].status;
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, list]) => [
      String(status),
      {
        description: list.map((code) => `\`${code}\``).join(', '),
        content: { 'application/problem+json': { schema: Problem } },
      },
    ]),
  );
}

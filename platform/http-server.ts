import { createHash } from 'node:crypto';
import express, {
  type ErrorRequestHandler,
  type Express,
  type NextFunction,
  type Request,
  type RequestHandler,
  type Response,
} from 'express';
import stringify from 'safe-stable-stringify';
import { ProblemError } from '../kernel/errors';
import { isUndoKey } from '../kernel/step-key';
import { asyncApiDocument, type Published } from './asyncapi';
import { bearerToken, hasShownSecondFactor, type ServiceTokens, type User, type VerifyUser } from './auth';
import {
  asksSecondFactor,
  type BodyOf,
  type Endpoint,
  type KeyOf,
  type ParamsOf,
  type QueryOf,
  type ReplyOf,
} from './endpoint';
import { openApiDocument } from './openapi';
import { fromZod, sendProblem } from './problem';
import { requestIdOf } from './request-id';
import { IdempotencyKey } from './schemas';
import { childTraceparent, httpDuration, type Logger, withContext } from './telemetry';
import { enterOperation } from './vendors';

/** Largest request body, the documented default of 100 KiB. */
export const BODY_LIMIT_BYTES = 100 * 1024;

export interface ServiceOptions {
  name: string;
  logger: Logger;
  contract: Readonly<Record<string, Endpoint>>;
  /** What it tells others, for the document. */
  published?: Published;
  verifyUser: VerifyUser;
  serviceTokens: ServiceTokens;
  /** The currencies in which amounts are taken that are to be charged, for the document. */
  settling?: readonly string[];
}

/** What a handler is given: everything parsed by the contract. */
export interface Call<E extends Endpoint> {
  params: ParamsOf<E>;
  query: QueryOf<E>;
  body: BodyOf<E>;
  user: E['access'] extends 'user' | readonly unknown[] ? User : undefined;
  idempotencyKey: KeyOf<E>;
  /**
   * Of a write, SHA-256 of operation, path parameters and canonical JSON body, or of those of its members that the contract names:
   * what two requests with one idempotency key must share.
   */
  fingerprint: string;
  /** Where the contract names members, the same over the whole body: keys that were stored before it did hold this one. */
  formerFingerprint: string | undefined;
  /** The client's address, through the gateway's X-Forwarded-For. */
  address: string;
  headers: Request['headers'];
  /** The body's bytes as they came, for signatures. */
  rawBody: Buffer;
  receivedAt: Date;
}

export interface Service {
  app: Express;
  /** Registers the handler of one operation of the contract. */
  serve<E extends Endpoint>(operation: E, handler: (call: Call<E>) => Promise<ReplyOf<E>>): void;
  /** Call once after the last `serve`: answers unknown paths, wrong methods and errors. */
  finish(): void;
}

/**
 * An Express service with what every service has: health, its OpenAPI and AsyncAPI documents, request ids, trace
 * context, authentication, validation by contract and problem+json errors.
 */
export function createService(options: ServiceOptions): Service {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('trust proxy', 'loopback, linklocal, uniquelocal');
  app.set('case sensitive routing', true);
  app.use(requestContext(options));
  const methodsByPath = new Map<string, Set<string>>();

  app.get('/healthz', (_request, response) => void response.json({ status: 'ok' }));
  const document = openApiDocument(options.name, options.contract, { settling: options.settling });
  app.get('/openapi.json', (_request, response) => void response.json(document));
  const told = asyncApiDocument(options.name, options.published ?? { events: {} });
  app.get('/asyncapi.json', (_request, response) => void response.json(told));

  return {
    app,
    serve(operation, handler) {
      const path = operation.path.replaceAll(/\{(\w+)\}/g, ':$1');
      const methods = methodsByPath.get(path) ?? new Set();
      methodsByPath.set(path, methods.add(operation.method.toUpperCase()));
      // `/things/latest` is never the thing `latest`, whichever of the two was registered first.
      const unlessNamed: RequestHandler = (request, _response, next) =>
        request.path !== path && methodsByPath.has(request.path) ? next('route') : next();
      // What comes along with a read means nothing (RFC 9110 §9.3.1), and looking for it costs more than most of what follows.
      const before = operation.method === 'get' ? [unlessNamed] : [unlessNamed, rawBody];
      app[operation.method](path, ...before, async (request: Request, response: Response) => {
        response.locals.operation = operation.operationId;
        enterOperation(operation);
        const call = await parseCall(operation, request, response, options);
        const reply = await handler(call);
        if (response.headersSent) return; // whoever handed the request over has answered for it: too late
        response.status(reply.status).set(reply.headers ?? {});
        if (reply.body === undefined) response.end();
        else if (operation.media) response.type(operation.media).send(reply.body);
        else response.json(reply.body);
      });
    },
    finish() {
      const namedFirst = [...methodsByPath].sort(([a], [b]) => Number(a.includes(':')) - Number(b.includes(':')));
      for (const [path, methods] of namedFirst) {
        app.all(path, (_request, response) => {
          response.set('Allow', [...methods].join(', '));
          throw new ProblemError('method_not_allowed');
        });
      }
      app.use(nothingHere);
      app.use(answerErrors(options.logger));
    },
  };
}

/** Middleware that gives every request its id and trace, and measures and logs its answer. */
export function requestContext(options: Pick<ServiceOptions, 'name' | 'logger'>) {
  return (request: Request, response: Response, next: NextFunction) => {
    const requestId = requestIdOf(request.header('x-request-id'));
    response.locals.requestId = requestId;
    response.set('X-Request-Id', requestId);
    const started = performance.now();
    // Kept, because a service beside the gateway gets the same response with locals of its own.
    const { locals } = response;
    response.on('finish', () => {
      const operation = String(locals.operation ?? 'none');
      const seconds = (performance.now() - started) / 1_000;
      httpDuration.observe({ service: options.name, operation, status: String(response.statusCode) }, seconds);
      options.logger.debug(
        { requestId, operation, method: request.method, status: response.statusCode, seconds },
        'answered',
      );
    });
    withContext({ requestId, traceparent: childTraceparent(request.header('traceparent')) }, next);
  };
}

/** Middleware for every path that is not offered. */
export const nothingHere: RequestHandler = () => {
  throw new ProblemError('not_found', 'There is nothing at this path');
};

/** The last middleware of an app: answers what was thrown as a problem. */
export function answerErrors(logger: Logger): ErrorRequestHandler {
  return (error: unknown, request, response, next) => {
    if (response.headersSent) return next(error);
    sendProblem(response, error, request.originalUrl, logger);
  };
}

const rawBody: RequestHandler = express.raw({ type: () => true, limit: BODY_LIMIT_BYTES });

async function parseCall<E extends Endpoint>(
  operation: E,
  request: Request,
  response: Response,
  options: ServiceOptions,
): Promise<Call<E>> {
  const receivedAt = new Date();
  const user = await authenticate(operation, request, options);
  const params = operation.params?.safeParse(request.params);
  if (params && !params.success) throw new ProblemError('not_found');
  const query = operation.query?.safeParse(request.query);
  if (query && !query.success) throw fromZod(query.error, 'query');
  const bytes = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
  const json = operation.body ? parseJson(request, bytes) : undefined;
  const body = operation.body?.safeParse(json);
  if (body && !body.success) throw fromZod(body.error);
  const parsed = {
    params: params?.data ?? {},
    query: query?.data ?? {},
    body: body?.data ?? {},
    user,
    idempotencyKey: idempotencyKey(operation, request),
    fingerprint: fingerprint(
      operation,
      params?.data,
      operation.fingerprint ? asked(json, operation.fingerprint) : json,
    ),
    formerFingerprint: operation.fingerprint && fingerprint(operation, params?.data, json),
    address: clientAddress(request, response),
    headers: request.headers,
    rawBody: bytes,
    receivedAt,
  };
  // The contract's schemas have just produced these values; TypeScript cannot follow a schema picked at run time.
  return parsed as unknown as Call<E>;
}

/** The client's address. Whoever handed the request over knows it; by a connection it comes as a header. */
export function clientAddress(request: Request, { locals }: Response): string {
  return String(locals.address ?? request.ip ?? 'unknown');
}

async function authenticate(operation: Endpoint, request: Request, options: ServiceOptions): Promise<User | undefined> {
  const { access } = operation;
  if (access === 'anonymous' || access === 'signed') return undefined;
  const token = bearerToken(request.header('authorization'));
  if (access === 'service') {
    await options.serviceTokens.verify(token);
    return undefined;
  }
  const user = await options.verifyUser(token);
  if (access !== 'user' && !access.includes(user.role)) throw new ProblemError('forbidden');
  if (user.role === 'admin' && asksSecondFactor(operation) && !hasShownSecondFactor(user))
    throw new ProblemError('second_factor_required');
  return user;
}

function parseJson(request: Request, bytes: Buffer): unknown {
  if (bytes.length === 0) return undefined;
  const type = (request.header('content-type') ?? '').toLowerCase();
  if (!/^application\/(?:[\w.+-]+\+)?json\s*(?:;\s*charset="?utf-8"?\s*)?$/.test(type))
    throw new ProblemError('unsupported_media_type');
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new ProblemError('malformed_body');
  }
}

function idempotencyKey(operation: Endpoint, request: Request): string | undefined {
  const key = request.header('idempotency-key');
  if (operation.idempotency === undefined || operation.idempotency === 'none') return undefined;
  if (!key && operation.idempotency !== 'optional') throw new ProblemError('idempotency_key_required');
  if (key === undefined) return undefined;
  if (!IdempotencyKey.safeParse(key).success)
    throw new ProblemError('invalid_idempotency_key', 'Use 1 to 255 printable ASCII characters without spaces');
  if (operation.idempotency === 'undo' && !isUndoKey(key))
    throw new ProblemError('invalid_idempotency_key', 'The key of an undo is that of its step with /undo behind it');
  return key;
}

/** Of the parsed parameters: an id in capitals is the same id. Of the body as it came: what the schema fills in may change. */
function fingerprint(operation: Endpoint, params: unknown, json: unknown): string {
  if (operation.method === 'get') return ''; // a read has no key that it could belong to
  return createHash('sha256')
    .update(`${operation.method} ${operation.path} ${stringify(params) ?? ''}\n${stringify(json) ?? ''}`)
    .digest('hex');
}

function asked(json: unknown, names: readonly string[]): Record<string, unknown> {
  const said = new Map(Object.entries(json ?? {}));
  return Object.fromEntries(names.map((name) => [name, said.get(name)]));
}

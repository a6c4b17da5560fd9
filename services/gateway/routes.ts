import { isIP } from 'node:net';
import express, { type Express, type Request, type RequestHandler, type Response } from 'express';
import { ProblemError } from '../../kernel/errors';
import { moduleOf } from '../../kernel/modules';
import { SECOND } from '../../kernel/time';
import { bearerToken, serviceTokens, type User, userVerifier, type VerifyUser } from '../../platform/auth';
import type { Bus } from '../../platform/bus/open';
import type { Config } from '../../platform/config';
import { answerErrors, requestContext } from '../../platform/http-server';
import { listenOrExplain } from '../../platform/listen';
import { answers } from '../../platform/management';
import { addressOf, type Platform, type Running } from '../../platform/service';
import { childTraceparent, createLogger, currentContext, type Logger } from '../../platform/telemetry';
import { withinMs } from '../../platform/within';
import { crossOrigin, securityHeaders } from './browsers';
import { serveDocs } from './docs/pages';
import { apiReference, eventReference } from './docs/reference';
import { knowEndedSessions } from './ended-sessions';
import { apiLimit, type TakeAllowance } from './limits';
import { askIdentity, type IsSessionOpen, openSessions } from './open-sessions';
import { readBody } from './proxy/body';
import { forward } from './proxy/forward';
import { handOver } from './proxy/hand-over';
import { headersUp, isAmbiguous, NO_STORE } from './proxy/headers';
import { addressKey, type Destination, destinationOf, isBodiless, isMethod, isRead, isSigned, METHODS } from './rules';
import { openUpstreams, PATIENCE, type Patience, type Upstreams } from './upstreams';

/**
 * Starts the gateway, the one door for clients: it knows which service answers, checks tokens, counts requests and passes
 * them on. The gateway keeps no state that matters, so any number of gateways may run.
 * @throws Error naming the setting when its port is taken
 */
export async function startGateway(
  { config, bus }: Pick<Platform, 'config' | 'bus'>,
  patience: Partial<Patience> = {},
): Promise<Running> {
  const logger = createLogger('gateway', config.LOG_LEVEL);
  const waits = { ...PATIENCE, ...patience };
  const endedSessions = knowEndedSessions(bus.reader(), logger);
  const upstreams = openUpstreams(config, waits);
  const isOpen = openSessions(endedSessions, askIdentity(upstreams, serviceTokens(config.SERVICE_TOKEN_SECRET)));
  const app = createApp({
    config,
    logger,
    upstreams,
    patience: waits,
    verifyUser: verifierOf(userVerifier(config.serviceUrl.identity), isOpen),
    takeAllowance: apiLimit(config.RATE_LIMIT_API),
  });
  const graceMs = config.SHUTDOWN_GRACE_SECONDS * SECOND;
  const closeRest = (ms: number) => Promise.all([upstreams.close(), withinMs(ms, endedSessions.close())]);
  const listening = await listenOrExplain(app, addressOf('gateway', config)).catch(async (error: unknown) => {
    await closeRest(graceMs);
    throw error;
  });
  return {
    name: 'gateway',
    port: listening.port,
    // The gateway needs none of the services for itself, but it has to know whose token is no longer good.
    readiness: async () => ({ ready: endedSessions.caughtUp(), degraded: await unreachable(upstreams, bus) }),
    async close() {
      const deadline = performance.now() + graceMs;
      await listening.close(graceMs);
      await closeRest(deadline - performance.now());
    },
  };
}

/** Refuses the tokens of sessions that have ended, too. @throws ProblemError unauthenticated; upstream_unavailable when it cannot be known */
function verifierOf(verify: VerifyUser, isOpen: IsSessionOpen): VerifyUser {
  return async (token) => {
    const user = await verify(token);
    if (!(await isOpen(user.sessionId)))
      throw new ProblemError('unauthenticated', 'The session of this access token has ended');
    return user;
  };
}

interface Parts {
  config: Config;
  logger: Logger;
  upstreams: Upstreams;
  patience: Patience;
  verifyUser: VerifyUser;
  takeAllowance: TakeAllowance;
}

function createApp(parts: Parts): Express {
  const { config, logger, upstreams } = parts;
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('case sensitive routing', true);
  app.set('trust proxy', config.TRUSTED_PROXIES);
  app.use(requestContext({ name: 'gateway', logger }));
  app.use(securityHeaders(config.PUBLIC_URL));
  app.use(crossOrigin(config.CORS_ORIGINS));
  app.use((request, _response, next) => {
    if (isAmbiguous(request)) throw new ProblemError('malformed_request');
    next();
  });

  app.get('/healthz', (_request, response) => void response.set(NO_STORE).json({ status: 'ok' }));
  serveDocs(app, {
    '/openapi.json': apiReference(upstreams, config.PUBLIC_URL, logger),
    '/asyncapi.json': eventReference(upstreams, config.PUBLIC_URL, logger),
  });
  app.use(passOn(parts));
  app.use(answerErrors(logger));
  return app;
}

/** Who sent the request: the sender of the connection, or whom a trusted proxy names, unless that is no address. */
function clientAddress({ ip = '', socket }: Request): string {
  const address = isIP(ip) ? ip : socket.remoteAddress;
  return address?.replace(/^::ffff:/i, '') ?? 'unknown';
}

/** Everything that is not the gateway's own: find the service, know the caller, count the request, call. */
function passOn({ config, upstreams, patience, verifyUser, takeAllowance }: Parts): RequestHandler {
  const scheme = config.PUBLIC_URL.startsWith('https:') ? 'https' : 'http';

  /**
   * Counts the request for whoever asks. A bad token counts against the address, so that guessing is limited as well.
   * @throws ProblemError rate_limited, unauthenticated; upstream_unavailable when the token cannot be checked
   */
  async function admit(request: Request, response: Response, destination: Destination | undefined): Promise<void> {
    let user: User | undefined;
    let refusal: ProblemError | undefined;
    const authorization = request.headers.authorization;
    if (destination && authorization !== undefined) {
      try {
        user = await verifyUser(bearerToken(authorization));
      } catch (error) {
        if (!(error instanceof ProblemError)) throw error;
        refusal = error;
      }
    }
    const caller = user ? `user:${user.id}` : addressKey(clientAddress(request));
    const allowance = await takeAllowance(caller);
    response.set(allowance.headers);
    if (allowance.refusal) throw allowance.refusal;
    if (refusal) throw refusal;
  }

  return async (request, response) => {
    const destination = destinationOf(request.originalUrl);
    response.locals.operation = destination?.context;
    if (!destination || !isSigned(request.method, destination.path)) await admit(request, response, destination);
    if (!destination) throw new ProblemError('not_found', 'There is nothing at this path');
    if (!config.contexts.has(destination.context))
      throw new ProblemError('module_off', `The module ${moduleOf(destination.context)} is switched off here`);
    const { method } = request;
    if (!isMethod(method)) {
      response.set('Allow', METHODS.join(', '));
      throw new ProblemError('method_not_allowed');
    }
    const received = await readBody(request, patience.body);
    const body = isBodiless(method) ? undefined : received;
    const context = currentContext();
    const address = clientAddress(request);
    const headers = headersUp(request.headers, {
      address,
      host: request.headers.host,
      scheme,
      requestId: String(response.locals.requestId),
      traceparent: childTraceparent(context?.traceparent),
      hasBody: body !== undefined,
    });
    const path = `${destination.path}${destination.query}`;
    const upstream = upstreams.of(destination.context);
    const take = isRead(method) ? upstream.here() : undefined;
    if (take) {
      const read = { context: destination.context, path, headers, address };
      await handOver(take, read, request, response, patience.answer);
    } else await forward(upstream, { method, path, headers, body }, response, patience.answer);
  };
}

/** The services that do not answer, and the bus if it does not. */
async function unreachable(upstreams: Upstreams, bus: Bus): Promise<string[]> {
  const asked: [name: string, ask: () => Promise<unknown>][] = [
    ...upstreams.contexts.map((name): [string, () => Promise<unknown>] => [
      name,
      () => upstreams.get(name, '/healthz'),
    ]),
    ['bus', () => bus.reader().ping()],
  ];
  const states = await Promise.all(asked.map(async ([name, ask]) => ((await answers(ask)) ? undefined : name)));
  return states.filter((name) => name !== undefined);
}

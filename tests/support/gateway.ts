import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { ROUTED_CONTEXTS, type RoutedContext } from '../../kernel/modules';
import { TOKEN_ALGORITHM, TOKEN_AUDIENCE, TOKEN_ISSUER } from '../../platform/auth';
import type { Bus } from '../../platform/bus/open';
import { loadConfig } from '../../platform/config';
import { uuidv7 } from '../../platform/ids';
import { startGateway } from '../../services/gateway/routes';
import type { Patience } from '../../services/gateway/upstreams';
import { freePort } from './ports';
import { type Ask, ask, noBus, type Reply } from './service';

/** A request as it reached an upstream, its body read whole. */
interface Received {
  method: string;
  url: string;
  headers: IncomingMessage['headers'];
  rawHeaders: string[];
  body: string;
}

export type Answer = (received: Received, response: ServerResponse, request: IncomingMessage) => void;

/** Answers with what it received. */
export const echo: Answer = (received, response) => {
  response.setHeader('content-type', 'application/json').end(JSON.stringify(received));
};

/** A real HTTP server that stands where a service will be. */
export async function startUpstream(answer: Answer = echo) {
  const received: Received[] = [];
  const upstream = { answer, received };
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const { method = '', url = '', headers, rawHeaders } = request;
    const one = { method, url, headers, rawHeaders, body: Buffer.concat(chunks).toString() };
    received.push(one);
    upstream.answer(one, response, request);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return Object.assign(upstream, {
    server,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  });
}

type TestUpstream = Awaited<ReturnType<typeof startUpstream>>;

/** Signs access tokens as identity does, with a key that can be rotated. */
export async function tokenSigner() {
  const make = async (kid: string) => {
    const { publicKey, privateKey } = await generateKeyPair(TOKEN_ALGORITHM);
    return { privateKey, kid, jwk: { ...(await exportJWK(publicKey)), kid, alg: TOKEN_ALGORITHM, use: 'sig' } };
  };
  let current = await make('first');
  const published = [current.jwk];
  return {
    jwks: () => ({ keys: published }),
    /** Signs with a new key from now on and publishes it. */
    async rotate() {
      current = await make(uuidv7());
      published.push(current.jwk);
    },
    sign(
      claims: {
        id?: string;
        sessionId?: string;
        role?: string;
        audience?: string;
        issuer?: string;
        expires?: string | number;
        kid?: string;
      } = {},
    ) {
      return new SignJWT({ role: claims.role ?? 'student', sid: claims.sessionId ?? uuidv7() })
        .setProtectedHeader({ alg: TOKEN_ALGORITHM, kid: claims.kid ?? current.kid })
        .setSubject(claims.id ?? uuidv7())
        .setIssuer(claims.issuer ?? TOKEN_ISSUER)
        .setAudience(claims.audience ?? TOKEN_AUDIENCE)
        .setIssuedAt()
        .setExpirationTime(claims.expires ?? '15m')
        .sign(current.privateKey);
    },
  };
}

/** The gateway as production starts it, before a real HTTP server per context. `without`: contexts that are switched off. */
export async function startTestGateway(
  options: {
    environment?: Record<string, string>;
    patience?: Partial<Patience>;
    without?: RoutedContext[];
    bus?: Bus;
  } = {},
) {
  const signer = await tokenSigner();
  const upstreams = {} as Record<RoutedContext, TestUpstream>;
  for (const context of ROUTED_CONTEXTS) upstreams[context] = await startUpstream();
  upstreams.identity.answer = (received, response, request) => {
    if (received.url !== '/api/auth/.well-known/jwks.json') return echo(received, response, request);
    response.setHeader('content-type', 'application/json').end(JSON.stringify(signer.jwks()));
  };
  const port = await freePort();
  const urls = ROUTED_CONTEXTS.map((context) => [`${context.toUpperCase()}_URL`, upstreams[context].url]);
  const loaded = loadConfig(
    {
      NODE_ENV: 'test',
      LOG_LEVEL: 'silent',
      SERVICE_TOKEN_SECRET: 'only-for-tests-only-for-tests-only-for-tests',
      GATEWAY_PORT: String(port),
      SHUTDOWN_GRACE_SECONDS: '1',
      ...Object.fromEntries(urls),
      ...options.environment,
    },
    'no-env-file-in-tests',
  );
  const off = new Set<string>(options.without);
  const config = { ...loaded, contexts: new Set([...loaded.contexts].filter((name) => !off.has(name))) };
  const closeUpstreams = () => Promise.all(ROUTED_CONTEXTS.map((context) => upstreams[context].close()));
  const running = await startGateway({ config, bus: options.bus ?? noBus }, options.patience).catch(
    async (error: unknown) => {
      await closeUpstreams();
      throw error;
    },
  );
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    port,
    config,
    upstreams,
    signer,
    readiness: running.readiness,
    ask: (method: string, path: string, request?: Ask): Promise<Reply> => ask(url, method, path, request),
    raw: (text: string | Buffer) => raw(port, text),
    /** How many requests have reached any upstream. */
    reached: () => ROUTED_CONTEXTS.reduce((sum, context) => sum + upstreams[context].received.length, 0),
    async close() {
      await running.close();
      await closeUpstreams();
    },
  };
}

export type TestGateway = Awaited<ReturnType<typeof startTestGateway>>;

/** Writes `text` to a TCP connection as it is and gives back everything until the server closes it. */
export async function raw(port: number, text: string | Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    const chunks: Buffer[] = [];
    socket.setTimeout(10_000, () => socket.destroy(new Error(`no end after: ${Buffer.concat(chunks)}`)));
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', reject);
    socket.on('close', () => resolve(Buffer.concat(chunks).toString('latin1')));
  });
}

/** What a refusal with `code` looks like to a client. */
export function problem(status: number, code: string) {
  return {
    status,
    headers: { 'content-type': expect.stringMatching(/^application\/problem\+json/) },
    body: { code, status },
  };
}

/** Waits until `check` holds, asking again and again. @throws Error after `withinMs` */
export async function until(check: () => boolean | Promise<boolean>, withinMs = 8_000): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!(await check())) {
    if (Date.now() > deadline) throw new Error('it did not happen in time');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

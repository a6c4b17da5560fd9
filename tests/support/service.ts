import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { request } from 'undici';
import { DATABASE_CONTEXTS, type DatabaseContext } from '../../kernel/modules';
import { serviceTokens, TOKEN_ALGORITHM, TOKEN_AUDIENCE, TOKEN_ISSUER, type User } from '../../platform/auth';
import type { Bus } from '../../platform/bus/open';
import type { Change } from '../../platform/changes';
import { type Config, loadConfig } from '../../platform/config';
import { uuidv7 } from '../../platform/ids';
import { runService, type ServiceDefinition } from '../../platform/service';
import type { Sagas } from '../../platform/temporal';
import { createTestDatabase, type TestDatabase } from './database';
import { freePort } from './ports';

const SERVICE_TOKEN_SECRET = 'only-for-tests-only-for-tests-only-for-tests';
const IDENTITY_KEY_SECRET = 'for-the-keys-of-tests-for-the-keys-of-tests';
const NOTIFICATION_KEY_SECRET = 'for-the-mails-of-tests-for-the-mails-of-tests';
const PAYMENT_KEY_SECRET = 'for-the-receipts-of-tests-for-the-receipts-of-tests';

export interface Reply {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: replies of every operation pass through here; each test says what it expects
  body: any;
  headers: Record<string, string | string[] | undefined>;
}

export interface Ask {
  token?: string;
  key?: string;
  headers?: Record<string, string>;
  body?: unknown;
  /** Sent as it is, instead of `body` as JSON. */
  raw?: string | Buffer;
}

/** One real HTTP request. Nothing is retried and no status throws. */
export async function ask(baseUrl: string, method: string, path: string, options: Ask = {}): Promise<Reply> {
  const body = options.raw ?? (options.body === undefined ? undefined : JSON.stringify(options.body));
  const response = await request(`${baseUrl}${path}`, {
    method: method as 'GET',
    headers: {
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...(options.token && { authorization: `Bearer ${options.token}` }),
      ...(options.key && { 'idempotency-key': options.key }),
      ...options.headers,
    },
    ...(body !== undefined && { body }),
  });
  const text = await response.body.text();
  const json = /json/.test(String(response.headers['content-type']));
  return { status: response.statusCode, body: json ? JSON.parse(text) : text, headers: response.headers };
}

/** How people showed who they are, of whom a test says no more: administrators by a second factor too. */
const AMR = { student: ['pwd'], tutor: ['pwd'], admin: ['pwd', 'otp', 'mfa'] };

/** Stands where identity would: signs access tokens and publishes the key over HTTP, as the real one does. */
export async function startTokenIssuer() {
  const { publicKey, privateKey } = await generateKeyPair(TOKEN_ALGORITHM);
  const jwk = { ...(await exportJWK(publicKey)), kid: 'test', alg: TOKEN_ALGORITHM, use: 'sig' };
  const server = createServer((_, response) => {
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: [jwk] }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    token: (user: Partial<User> & { role: User['role'] }) =>
      new SignJWT({ role: user.role, sid: user.sessionId ?? uuidv7(), amr: user.amr ?? AMR[user.role] })
        .setProtectedHeader({ alg: TOKEN_ALGORITHM, kid: 'test' })
        .setSubject(user.id ?? uuidv7())
        .setIssuer(TOKEN_ISSUER)
        .setAudience(TOKEN_AUDIENCE)
        .setIssuedAt()
        .setExpirationTime('15m')
        .sign(privateKey),
    close: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}

export interface TestService {
  url: string;
  config: Config;
  database: TestDatabase;
  ask(method: string, path: string, options?: Ask): Promise<Reply>;
  /** Calls with a valid service token. */
  internal(method: string, path: string, options?: Ask): Promise<Reply>;
  userToken(user: Partial<User> & { role: User['role'] }): Promise<string>;
  close(): Promise<void>;
}

/**
 * Runs one service as production does (real HTTP, real database, real token checks) with `sagas` in place of a Temporal
 * server: pass one that records or refuses for tests of the routes alone; the sagas themselves have tests with the real server. Without a
 * `bus` nothing is published and nothing is read.
 */
export async function startTestService(
  definition: ServiceDefinition,
  options: { sagas?: Partial<Sagas>; bus?: Bus; environment?: Record<string, string> } = {},
): Promise<TestService> {
  const name: DatabaseContext = definition.name;
  const issuer = await startTokenIssuer();
  const database = await createTestDatabase(name);
  const port = await freePort();
  const upper = name.toUpperCase();
  const config = loadConfig(
    {
      NODE_ENV: 'test',
      LOG_LEVEL: 'silent',
      SERVICE_TOKEN_SECRET,
      IDENTITY_KEY_SECRET,
      NOTIFICATION_KEY_SECRET,
      PAYMENT_KEY_SECRET,
      IDENTITY_URL: issuer.url,
      [`${upper}_PORT`]: String(port),
      [`${upper}_DATABASE_URL`]: database.url,
      ...options.environment,
    },
    'no-env-file-in-tests',
  );
  const running = await runService(definition, {
    config,
    sagas: { ...noSagas, ...options.sagas },
    bus: options.bus ?? noBus,
  });
  const tokens = serviceTokens(SERVICE_TOKEN_SECRET);
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    config,
    database,
    ask: (method, path, request) => ask(url, method, path, request),
    internal: async (method, path, request) => ask(url, method, path, { ...request, token: await tokens.issue() }),
    userToken: issuer.token,
    async close() {
      await running.close();
      await database.drop();
      await issuer.close();
    },
  };
}

const unexpected = (): never => {
  throw new Error(`this test started no sagas (contexts with a database: ${DATABASE_CONTEXTS.join(', ')})`);
};

export const noSagas: Sagas = {
  start: unexpected,
  update: unexpected,
  signal: unexpected,
  wake: unexpected,
  startEagerly: () => () => undefined,
  ping: async () => undefined,
  close: async () => undefined,
};

/** A bus that others have the lease of, and on which nothing happens. */
export const noBus: Bus = {
  holder: 'test',
  appender: () => ({
    takeLease: async () => undefined,
    keepLease: async () => undefined,
    endLease: async () => undefined,
    append: unexpected,
  }),
  reader: () => ({
    read: async () => ({ items: [], behind: 0 }),
    tail: async () => null,
    before: async () => null,
    at: async () => undefined,
    cursor: unexpected,
    ping: async () => undefined,
    appended: (_topic, ms) => aPause(ms),
  }),
  stopWaiting: () => undefined,
  close: async () => undefined,
};

function aPause(ms: number): Change {
  let stop = (): void => undefined;
  const happened = new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms);
    stop = () => {
      clearTimeout(timer);
      resolve();
    };
  });
  return { happened, stop };
}

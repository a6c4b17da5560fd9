import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { z } from 'zod';
import { PLACES } from '../activities/places';
import { freePortSettings } from '../dev/machine/ports';
import { freeze } from '../dev/processes/freeze';
import { ProblemError } from '../kernel/errors';
import { DATABASE_CONTEXTS } from '../kernel/modules';
import { serviceTokens } from '../platform/auth';
import { type Config, loadConfig } from '../platform/config';
import { endpoint } from '../platform/endpoint';
import { createService } from '../platform/http-server';
import { uuidv7 } from '../platform/ids';
import { type Listening, listen } from '../platform/listen';
import { problemBody } from '../platform/problem';
import type { Running } from '../platform/service';
import { createLogger } from '../platform/telemetry';
import { createSagas, type Sagas, startOptions } from '../platform/temporal';
import { prepareNamespace } from '../platform/temporal-namespace';
import { eventually } from '../tests/support/platform';
import { launchTemporal } from '../tests/support/real-temporal';
import { ask } from '../tests/support/service';
import { refundSaga } from '../workflows/refund.api';
import { userCreationSaga } from '../workflows/user-creation.api';
import { countOpenRuns, serveFormerQueues } from './former-queues';
import { startWorker } from './worker';

jest.setTimeout(90_000);

const SECRET = 'a-secret-for-tests-a-secret-for-tests';

interface Call {
  path: string;
  headers: IncomingHttpHeaders;
  /** Answers with a refusal that ends the step for good. */
  refuse(): void;
}

const PERSON = {
  role: 'student',
  status: 'pending',
  email: 'a@b.example',
  emailVerified: false,
  firstName: 'A',
  lastName: 'B',
  displayName: 'A B',
  timeZone: 'UTC',
  locale: 'en',
};

let config: Config;
let temporal: Awaited<ReturnType<typeof launchTemporal>> | undefined;
let services: Server;
let front: Listening;
let sagas: Sagas;
let client: Client;
let worker: Running | undefined;
/** What the worker's activities called, in the services' place. */
let calls: Call[] = [];
let holdAccounts = false;
let holdRefunds = false;

const register = endpoint({
  method: 'post',
  path: '/api/people',
  operationId: 'register',
  summary: 'Starts a sign-up',
  access: 'anonymous',
  body: z.strictObject({ userId: z.uuid() }),
  replies: { 202: null },
});

beforeAll(async () => {
  services = createServer((request, response) => {
    request.resume();
    answerFor(String(request.url), request.headers, response);
  });
  await new Promise<void>((resolve) => services.listen(0, '127.0.0.1', resolve));
  const address = services.address();
  const url = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
  const urls = DATABASE_CONTEXTS.map((name) => [`${name.toUpperCase()}_URL`, url]);
  config = loadConfig(
    {
      ...(await freePortSettings()),
      ...Object.fromEntries(urls),
      DATA_DIR: mkdtempSync(join(tmpdir(), 'tutorconnect-workers-')),
      LOG_LEVEL: 'silent',
      SERVICE_TOKEN_SECRET: SECRET,
      SHUTDOWN_GRACE_SECONDS: '10',
    },
    'no-env-file-in-tests',
  );
  sagas = createSagas(config);
  front = await startFront();
});

afterAll(async () => {
  await worker?.close();
  await front.close(0);
  await sagas.close();
  await client.connection.close();
  services.closeAllConnections();
  services.close();
  await temporal?.close();
  rmSync(config.DATA_DIR, { recursive: true, force: true });
});

/** identity makes the profile, payment refuses the account, and every undo succeeds. */
function answerFor(path: string, headers: IncomingHttpHeaders, response: ServerResponse): void {
  const send = (status: number, body: unknown) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  const refuse = () => send(409, problemBody(new ProblemError('conflict'), path, 'r'));
  calls.push({ path, headers, refuse });
  const userId = /[0-9a-f-]{36}/.exec(path)?.[0];
  if (path.endsWith('/remove'))
    return void (path.startsWith('/internal/users/') ? response.writeHead(204).end() : send(200, { userId }));
  if (path === `/internal/users/${userId}` || path.endsWith('/profile'))
    return void send(200, { id: userId, ...PERSON });
  if (path === '/internal/accounts' && holdAccounts) return;
  if (path.startsWith('/internal/refunds/') && holdRefunds) return;
  refuse();
}

/** A service whose one operation starts a sign-up, as identity does. */
async function startFront(): Promise<Listening> {
  const service = createService({
    name: 'front',
    logger: createLogger('front', 'silent'),
    contract: { register },
    verifyUser: () => Promise.reject(new ProblemError('unauthenticated')),
    serviceTokens: serviceTokens(SECRET),
  });
  service.serve(register, async ({ body }) => {
    await sagas.start(userCreationSaga, { userId: body.userId, role: 'student' });
    return { status: 202 as const, body: undefined };
  });
  service.finish();
  return listen(service.app, '127.0.0.1', 0);
}

async function signUp(headers: Record<string, string> = {}): Promise<string> {
  const userId = uuidv7();
  const reply = await ask(`http://127.0.0.1:${front.port}`, 'POST', '/api/people', { headers, body: { userId } });
  expect(reply.status).toBe(202);
  return userId;
}

/** The first call of a step for this person: its key names them. */
const called = (path: string, userId: string) => {
  const isIt = (call: Call) =>
    call.path === path && String(call.headers['idempotency-key']).startsWith(`user:${userId}/`);
  return eventually(`${path} is called`, async () => calls.find(isIt), 60_000);
};

test('a worker that starts before its server waits for it', async () => {
  let started = false;
  const starting = startWorker('core', { config, sagas }).then((running) => {
    started = true;
    return running;
  });
  expect(started).toBe(false);
  temporal = await launchTemporal(config);
  await prepareNamespace(config, () => undefined, []);
  client = new Client({ connection: await Connection.connect({ address: config.TEMPORAL_ADDRESS }) });
  worker = await starting;
  expect(worker.name).toBe('worker:core');
  expect(await worker.readiness()).toEqual({ ready: true });
});

test('the trace of a request travels through the saga into the calls of its activities', async () => {
  const trace = '0af7651916cd43dd8448eb211c80319c';
  const userId = await signUp({ traceparent: `00-${trace}-b7ad6b7169203331-01` });
  const profile = await called(`/internal/users/${userId}/profile`, userId);
  const account = await called('/internal/accounts', userId);
  const undo = await called(`/internal/users/${userId}/remove`, userId);
  const spans = [profile, account, undo].map(({ headers }) => String(headers.traceparent));
  for (const span of spans) expect(span).toMatch(new RegExp(`^00-${trace}-[0-9a-f]{16}-01$`));
  expect(new Set(spans).size).toBe(3);
});

test("each call of an activity is authorised, keyed by its step and carries the saga's id", async () => {
  calls = [];
  const userId = await signUp();
  const { headers } = await called(`/internal/users/${userId}/profile`, userId);
  expect(headers['idempotency-key']).toBe(`user:${userId}/profile`);
  expect(headers['x-request-id']).toMatch(new RegExp(`^user\\.${userId}\\.[\\w-]+$`));
  await serviceTokens(SECRET).verify(String(headers.authorization).replace('Bearer ', ''));
});

/** Whether the server handed the saga to whom started it instead of putting it into its queue. */
async function startedEagerly(userId: string): Promise<boolean | null | undefined> {
  const { events } = await client.workflow.getHandle(`user:${userId}`).fetchHistory();
  return events?.[0]?.workflowExecutionStartedEventAttributes?.eagerExecutionAccepted;
}

test('a saga that is started in the process of its worker is handed to it at once; one from elsewhere waits in the queue', async () => {
  const here = await signUp();
  await called(`/internal/users/${here}/remove`, here);
  expect(await startedEagerly(here)).toBe(true);

  const elsewhere = createSagas(config);
  const there = uuidv7();
  await elsewhere.start(userCreationSaga, { userId: there, role: 'student' });
  await elsewhere.close();
  await called(`/internal/users/${there}/remove`, there);
  expect(await startedEagerly(there)).toBe(false);
});

test('a worker that is closed lets its running activity end, and the result is not lost', async () => {
  calls = [];
  holdAccounts = true;
  const userId = await signUp();
  const account = await called('/internal/accounts', userId);
  let closed = false;
  const closing = worker?.close().then(() => {
    closed = true;
  });
  expect(await worker?.readiness()).toEqual({ ready: false });
  const next = await signUp();
  expect(closed).toBe(false);
  account.refuse();
  await closing;
  expect(await startedEagerly(next)).toBe(false);
  worker = undefined;
  holdAccounts = false;
  const { events = [] } = await client.workflow.getHandle(`user:${userId}`).fetchHistory();
  const failures = events?.flatMap((event) => event.activityTaskFailedEventAttributes ?? []) ?? [];
  expect(
    failures.map(
      ({ failure }) => failure?.cause?.applicationFailureInfo?.type ?? failure?.applicationFailureInfo?.type,
    ),
  ).toEqual(['conflict']);
  const keys = calls.map(({ headers }) => headers['idempotency-key']);
  expect(keys.filter((key) => key === account.headers['idempotency-key'])).toHaveLength(1);

  // What it had no time for is done by the next one.
  worker = await startWorker('core', { config, sagas });
  await called(`/internal/users/${next}/remove`, next);
  await expect(client.workflow.getHandle(`user:${userId}`).result()).resolves.toMatchObject({ outcome: 'removed' });
});

test('a worker whose server does not answer is not ready, and is again when it does', async () => {
  expect(await worker?.readiness()).toEqual({ ready: true });
  const hanging = freeze(z.int().parse(temporal?.pid), 60_000);
  expect(await worker?.readiness()).toEqual({ ready: false });
  hanging.thaw();
  await eventually('it is ready again', async () => (await worker?.readiness())?.ready);
});

test('a saga that began on the queue of before ends under the worker of today', async () => {
  await worker?.close();
  const userId = uuidv7();
  const { workflowType } = userCreationSaga;
  const handle = await client.workflow.start(workflowType, {
    ...startOptions(userCreationSaga, { userId, role: 'student' }),
    taskQueue: 'user-creation',
  });
  await eventually('it is counted', async () => {
    const { count } = await client.workflow.count('TaskQueue = "user-creation" AND ExecutionStatus = "Running"');
    return count > 0;
  });
  worker = await startWorker('core', { config, sagas });
  await expect(handle.result()).resolves.toMatchObject({ outcome: 'removed' });
});

test('a queue of before is served while runs of it are open, and not longer', async () => {
  const served: string[] = [];
  const connection = await NativeConnection.connect({ address: config.TEMPORAL_ADDRESS });
  const former = serveFormerQueues(['refund'], {
    openRuns: (queue) => countOpenRuns(connection, config.TEMPORAL_NAMESPACE, queue),
    serve: async (queue) => {
      served.push(queue);
      return { close: async () => void served.pop() };
    },
    logger: createLogger('former', 'silent'),
    everyMs: 100,
  });
  try {
    for (const workflowId of ['of-before', 'another-of-before']) {
      const handle = await client.workflow.start('refund', { workflowId, taskQueue: 'refund' });
      await eventually('it is served', async () => served.length === 1);
      await handle.terminate();
      await eventually('it is left', async () => served.length === 0);
    }
  } finally {
    await former.close();
    await connection.close();
  }
});

test('refunds that all hang at Stripe leave room for sign-ups, and come to their turn', async () => {
  calls = [];
  holdRefunds = true;
  const isSubmit = ({ path }: Call) => path.startsWith('/internal/refunds/') && path.endsWith('/submit');
  // More than a worker runs at once.
  const refunds = Array.from({ length: 120 }, () => ({ refundId: uuidv7(), paymentId: uuidv7(), bookingId: null }));
  await Promise.all(refunds.map((input) => sagas.start(refundSaga, input)));
  await eventually('all places are taken', async () => calls.filter(isSubmit).length === PLACES, 60_000);
  const userId = await signUp();
  await called(`/internal/users/${userId}/remove`, userId);
  expect(calls.filter(isSubmit)).toHaveLength(PLACES);
  holdRefunds = false;
  for (const call of calls.filter(isSubmit)) call.refuse();
  const asked = () => new Set(calls.filter(isSubmit).map(({ path }) => path)).size;
  await eventually('each of them was asked for', async () => asked() === refunds.length, 60_000);
});

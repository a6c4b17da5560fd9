import { z } from 'zod';
import { ProblemError } from '../../kernel/errors';
import { serviceTokens, type User } from '../../platform/auth';
import { endpoint } from '../../platform/endpoint';
import { type Call, createService } from '../../platform/http-server';
import { uuidv7 } from '../../platform/ids';
import { type Listening, listen } from '../../platform/listen';
import { created, done, ok } from '../../platform/replies';
import { IdParams, PageQuery, text } from '../../platform/schemas';
import { createLogger } from '../../platform/telemetry';

const Body = z.strictObject({ name: text(1, 50), size: z.int().optional() });
const Reply = z.strictObject({ id: z.string() });
/** One operation of every kind of access, with and without body, parameters and key. */
export const contract = {
  create: endpoint({
    method: 'post',
    path: '/api/things',
    operationId: 'createThing',
    summary: 'Create a thing',
    access: ['tutor'],
    idempotency: 'required',
    body: Body,
    replies: { 201: Reply },
  }),
  change: endpoint({
    method: 'patch',
    path: '/api/things/{id}',
    operationId: 'changeThing',
    summary: 'Change a thing',
    access: 'anonymous',
    idempotency: 'optional',
    params: IdParams,
    body: Body,
    replies: { 200: z.strictObject({ id: z.string(), fingerprint: z.string(), key: z.string() }) },
  }),
  list: endpoint({
    method: 'get',
    path: '/api/things',
    operationId: 'listThings',
    summary: 'List things',
    access: 'user',
    query: PageQuery,
    replies: { 200: z.strictObject({ userId: z.string(), limit: z.int() }) },
  }),
  remove: endpoint({
    method: 'delete',
    path: '/internal/things/{id}',
    operationId: 'removeThing',
    summary: 'Remove a thing',
    access: 'service',
    params: IdParams,
    replies: { 204: null },
  }),
  hook: endpoint({
    method: 'post',
    path: '/api/hook',
    operationId: 'hook',
    summary: 'Take news',
    access: 'signed',
    replies: { 200: z.strictObject({ bytes: z.int() }) },
  }),
  fail: endpoint({
    method: 'get',
    path: '/api/fail/{how}',
    operationId: 'fail',
    summary: 'Fail',
    access: 'anonymous',
    params: z.strictObject({ how: z.enum(['internal', 'refuse', 'wait', 'database', 'slow']) }),
    replies: { 200: z.strictObject({ done: z.boolean() }) },
  }),
};

/** Whom the access token `tutor` names; `student` and `admin` name the same person in that role, `admin-mfa` after a second factor. */
export const tutor: User = { id: uuidv7(), role: 'tutor', sessionId: uuidv7(), amr: ['pwd'] };
export const tokens = serviceTokens('a-secret-for-tests-a-secret-for-tests');
/** What an error says that nobody outside may read. */
export const SECRET_TEXT = 'select password from users';
/** What the operation `fail` throws, by its parameter. */
const failures: Record<string, () => unknown> = {
  internal: () => new Error(SECRET_TEXT),
  refuse: () => new ProblemError('conflict', 'Not now', { extras: { thingId: 'x' }, headers: { Link: '</x>' } }),
  wait: () => new ProblemError('upstream_unavailable', undefined, { retryAfterSeconds: 7 }),
  database: () => Object.assign(new Error(SECRET_TEXT), { cause: { code: '57P01' } }),
};

export interface ThingsServer {
  server: Listening;
  url: string;
}

/**
 * A service of things, on a real port: one for a test file, started before its tests and stopped after them.
 */
export function thingsService() {
  let running: ThingsServer | undefined;
  const waiting: (() => void)[] = [];
  let slowBegun: () => unknown = () => undefined;

  async function start(): Promise<ThingsServer> {
    const service = createService({
      name: 'things',
      logger: createLogger('things', 'silent'),
      contract,
      verifyUser: async (token) => {
        if (token === 'tutor') return tutor;
        if (token === 'student' || token === 'admin') return { ...tutor, role: token };
        if (token === 'admin-mfa') return { ...tutor, role: 'admin', amr: ['pwd', 'mfa'] };
        throw new ProblemError('unauthenticated');
      },
      serviceTokens: tokens,
    });
    service.serve(contract.create, async ({ user, body }) => created({ id: `${user.role} ${body.name}` }));
    service.serve(contract.change, async (call: Call<typeof contract.change>) =>
      ok({ id: call.params.id, fingerprint: call.fingerprint, key: call.idempotencyKey ?? 'none' }),
    );
    service.serve(contract.list, async ({ user, query }) => ok({ userId: user.id, limit: query.limit }));
    service.serve(contract.remove, async () => done);
    service.serve(contract.hook, async ({ rawBody }) => ok({ bytes: rawBody.length }));
    service.serve(contract.fail, async ({ params }) => {
      const failure = failures[params.how];
      if (failure) throw failure();
      slowBegun();
      await new Promise<void>((resolve) => waiting.push(resolve));
      return ok({ done: true });
    });
    service.finish();
    const server = await listen(service.app, '127.0.0.1', 0);
    return { server, url: `http://127.0.0.1:${server.port}` };
  }

  beforeAll(async () => {
    running = await start();
  });
  afterAll(() => running?.server.close(0));

  return {
    /** Where the file's service is reached, as long as it runs. */
    url(): string {
      if (!running) throw new Error('the service runs from beforeAll to afterAll');
      return running.url;
    },
    /** Starts one more, which the test must close itself. */
    start,
    /** Resolves when the operation `fail` has begun to be slow: call it before the request. */
    slowHasBegun: () =>
      new Promise<void>((resolve) => {
        slowBegun = () => resolve();
      }),
    /** Lets every slow request end. */
    letGo(): void {
      for (const release of waiting.splice(0)) release();
    },
  };
}

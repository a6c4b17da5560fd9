import { createServer } from 'node:http';
import { z } from 'zod';
import { createTestDatabase, type TestDatabase } from '../tests/support/database';
import { freePort } from '../tests/support/ports';
import { ask, noBus } from '../tests/support/service';
import { loadConfig } from './config';
import { endpoint } from './endpoint';
import { type Platform, runService, type ServiceDefinition } from './service';
import type { Sagas } from './temporal';

const contract = {
  count: endpoint({
    method: 'get',
    path: '/api/count',
    operationId: 'count',
    summary: 'Count',
    access: 'anonymous',
    replies: { 200: z.strictObject({ one: z.int() }) },
  }),
  wait: endpoint({
    method: 'get',
    path: '/api/wait',
    operationId: 'wait',
    summary: 'Wait for what never changes',
    access: 'anonymous',
    replies: { 200: z.strictObject({ waited: z.boolean() }) },
  }),
};
let reading: () => void = () => undefined;
const closed: string[] = [];
const definition: ServiceDefinition = {
  name: 'notification',
  contract,
  events: {},
  async routes(service, { database, changes }) {
    service.serve(contract.wait, async () => {
      const read = async () => {
        reading();
        return true;
      };
      const anHour = Date.now() + 3_600_000;
      const waited = await changes.until('thing', anHour, read, () => false);
      return { status: 200 as const, body: { waited } };
    });
    service.serve(contract.count, async () => {
      const [row] = await database.sql<{ one: number }[]>`select 1 as one`;
      return { status: 200 as const, body: { one: row?.one ?? 0 } };
    });
    return {
      async close() {
        await database.sql`select 1`; // still open
        closed.push('routes');
      },
    };
  },
};

let database: TestDatabase;
let port: number;
beforeAll(async () => {
  database = await createTestDatabase('notification');
});
afterAll(() => database.drop());
beforeEach(async () => {
  port = await freePort();
  closed.length = 0;
});

let ping: () => Promise<void> = async () => undefined;
const never = () => Promise.reject(new Error('not in this test'));
const sagas: Sagas = {
  start: never,
  update: never,
  signal: never,
  wake: never,
  startEagerly: () => () => undefined,
  ping: () => ping(),
  close: async () => undefined,
};
const platform = (environment: Record<string, string> = {}): Platform => ({
  sagas,
  bus: noBus,
  config: loadConfig(
    {
      LOG_LEVEL: 'silent',
      SERVICE_TOKEN_SECRET: 's'.repeat(32),
      NOTIFICATION_PORT: String(port),
      NOTIFICATION_DATABASE_URL: database.url,
      ...environment,
    },
    'no-env-file-in-tests',
  ),
});
const url = () => `http://127.0.0.1:${port}`;

test('a service answers from its own database until it is closed, and closes what its routes opened before the pool', async () => {
  const running = await runService(definition, platform());
  expect(running).toMatchObject({ name: 'notification', port });
  expect(await ask(url(), 'GET', '/api/count')).toMatchObject({ status: 200, body: { one: 1 } });
  await running.close();
  expect(closed).toEqual(['routes']);
  await expect(ask(url(), 'GET', '/healthz')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
});

test('a request that waits for a change is answered with what there is when the service is told to close', async () => {
  const running = await runService(definition, platform({ SHUTDOWN_GRACE_SECONDS: '600' }));
  const waits = new Promise<void>((resolve) => {
    reading = resolve;
  });
  const reply = ask(url(), 'GET', '/api/wait');
  await waits;
  await running.close();
  expect(await reply).toMatchObject({ status: 200, body: { waited: true } });
});

test('without Temporal it is ready, though degraded; a Temporal that hangs counts as none', async () => {
  const running = await runService(definition, platform());
  expect(await running.readiness()).toEqual({ ready: true, degraded: [] });
  ping = never;
  expect(await running.readiness()).toEqual({ ready: true, degraded: ['temporal'] });
  ping = () => new Promise(() => undefined);
  expect(await running.readiness()).toEqual({ ready: true, degraded: ['temporal'] });
  ping = async () => undefined;
  await running.close();
});

test('while its database is down it starts, lives, is not ready and answers 503', async () => {
  const running = await runService(definition, {
    ...platform({ NOTIFICATION_DATABASE_URL: 'postgres://notification:x@127.0.0.1:1/notification_db' }),
  });
  expect(await ask(url(), 'GET', '/healthz')).toMatchObject({ status: 200 });
  expect(await running.readiness()).toMatchObject({ ready: false });
  const reply = await ask(url(), 'GET', '/api/count');
  expect(reply).toMatchObject({ status: 503, body: { code: 'upstream_unavailable' } });
  expect(reply.headers['retry-after']).toBe('2');
  await running.close().catch(() => undefined);
});

test('without a database it does not start, and says which settings give it one', async () => {
  await expect(runService(definition, platform({ NOTIFICATION_DATABASE_URL: '' }))).rejects.toThrow(
    /^notification has no database: set NOTIFICATION_DATABASE_URL, or DATABASE_URL and DATABASE_ROLE_SECRET$/,
  );
});

test('a port that is taken is named with the setting that moves it, and nothing stays open', async () => {
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(port, '127.0.0.1', resolve));
  await expect(runService(definition, platform())).rejects.toThrow(
    `Port ${port} is taken: stop what uses it, or set NOTIFICATION_PORT to another`,
  );
  expect(closed).toEqual(['routes']);
  const [row] = await database.sql`
      select count(*)::int as open from pg_stat_activity
      where application_name = 'notification' and datname = current_database()`;
  expect(row?.open).toBe(0);
  await new Promise((resolve) => holder.close(resolve));
});

test('an address that is not of this machine is named with the setting', async () => {
  await expect(runService(definition, platform({ HOST: '192.0.2.1' }))).rejects.toThrow(
    `Cannot listen on 192.0.2.1:${port} (EADDRNOTAVAIL): change HOST or NOTIFICATION_PORT`,
  );
});

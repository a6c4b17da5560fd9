import { connect } from 'node:net';
import { sql } from 'drizzle-orm';
import { createTestDatabase } from '../tests/support/database';
import {
  childTraceparent,
  counter,
  createLogger,
  currentContext,
  metrics,
  statementCounter,
  withContext,
} from './telemetry';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';

describe('a traceparent', () => {
  test('stays in its trace under a new span and keeps its flags', () => {
    for (const flags of ['00', '01']) {
      const child = childTraceparent(`00-${TRACE}-${SPAN}-${flags}`);
      expect(child).toMatch(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-${flags}$`));
      expect(child).not.toContain(SPAN);
    }
  });

  test.each([
    undefined,
    '',
    'x',
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${'0'.repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `ff-${TRACE}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-01\r\nX: y`,
    `00-${TRACE}-${SPAN}-01-more`,
  ])('%j begins a trace of its own', (given) => {
    const fresh = childTraceparent(given);
    expect(fresh).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    expect(fresh).not.toContain(TRACE);
  });
});

test('a context reaches what is awaited below it and nothing beside it', async () => {
  const context = { requestId: 'r', traceparent: childTraceparent(undefined) };
  const below = withContext(context, async () => {
    await new Promise((resolve) => setImmediate(resolve));
    return currentContext();
  });
  expect(currentContext()).toBeUndefined();
  expect(await below).toBe(context);
});

test('a counter appears among the metrics by its labels', async () => {
  counter('test_things_total', 'Things', ['kind']).inc({ kind: 'a' });
  expect(await metrics.metrics()).toContain('test_things_total{kind="a"} 1');
});

test('statements are counted by service', async () => {
  const [one, other] = [statementCounter('test_one'), statementCounter('test_other')];
  one();
  one();
  other();
  const text = await metrics.metrics();
  expect(text).toContain('database_statements_total{service="test_one"} 2');
  expect(text).toContain('database_statements_total{service="test_other"} 1');
});

describe('a log line', () => {
  const lines: string[] = [];
  const logger = createLogger('things', 'info', { write: (line: string) => void lines.push(line) });
  const logged = (...args: Parameters<typeof logger.info>) => {
    lines.length = 0;
    logger.info(...args);
    return { text: lines.join(''), line: JSON.parse(lines[0] ?? '{}') };
  };

  test('says which service and request it is of', () => {
    const context = { requestId: 'r1', traceparent: childTraceparent(undefined) };
    withContext(context, () =>
      expect(logged({ a: 1 }, 'done').line).toMatchObject({ name: 'things', msg: 'done', ...context }),
    );
    expect(logged('outside').line).not.toHaveProperty('requestId');
  });

  test('holds no secrets and addresses', () => {
    const person = { email: 'a@b.example', password: 'hunter22', accessToken: 't-a', refreshToken: 't-r' };
    const { text } = logged({
      ...person,
      user: person,
      headers: { authorization: 'Bearer t-h' },
      body: { clientSecret: 'cs' },
    });
    for (const secret of ['a@b.example', 'hunter22', 't-a', 't-r', 't-h', 'cs"']) expect(text).not.toContain(secret);
  });

  test('of a failed query has its state and stack, and nothing of the parameters', async () => {
    const client = await createTestDatabase('notification');
    const err = await client.db.execute(sql`select ${'a@b.example'}::int`).catch((error: unknown) => error);
    const { text, line } = logged({ err }, 'failed');
    expect(line.err).toMatchObject({ message: 'a database query failed', cause: { code: '22P02' } });
    expect(line.err.stack).toMatch(/^ {4}at /);
    expect(text).not.toContain('a@b.example');
    await client.drop();
  });

  test('of any other error has its name, code, message and cause', async () => {
    const cause = await new Promise((resolve) => connect(1, '127.0.0.1').once('error', resolve));
    const { err } = logged({ err: new TypeError('bad', { cause }) }).line;
    expect(err).toMatchObject({ name: 'TypeError', message: 'bad', cause: { code: 'ECONNREFUSED' } });
    expect(logged({ err: 'just a text' }).line.err).toEqual({ message: 'just a text' });
  });
});

import { connect } from 'node:net';
import { z } from 'zod';
import { ProblemError } from '../kernel/errors';
import { asProblem, fromZod, problemBody } from './problem';

const withCode = (code: string) => Object.assign(new Error('secret'), { code });

test.each<[string, unknown, string]>([
  ['what is a refusal already', new ProblemError('slot_unavailable'), 'slot_unavailable'],
  ['a body too large', Object.assign(new Error(), { type: 'entity.too.large', status: 413 }), 'payload_too_large'],
  ['a strange encoding', Object.assign(new Error(), { type: 'encoding.unsupported' }), 'unsupported_media_type'],
  ['a strange character set', Object.assign(new Error(), { type: 'charset.unsupported' }), 'unsupported_media_type'],
  ['a body cut off', Object.assign(new Error(), { type: 'request.aborted', status: 400 }), 'malformed_body'],
  ['a body that does not inflate', Object.assign(new Error(), { code: 'Z_DATA_ERROR', status: 400 }), 'malformed_body'],
  ['a path that cannot be decoded', new URIError('x'), 'not_found'],
  ['a database that is down', withCode('ECONNREFUSED'), 'upstream_unavailable'],
  ['a database that shuts down', { cause: { cause: withCode('57P01') } }, 'upstream_unavailable'],
  ['a full pool', withCode('53300'), 'upstream_unavailable'],
  ['a lock that did not come', withCode('55P03'), 'upstream_unavailable'],
  ['a deadlock', withCode('40P01'), 'upstream_unavailable'],
  ['a connection that postgres.js gave up', withCode('CONNECT_TIMEOUT'), 'upstream_unavailable'],
  ['a connection that broke', withCode('CONNECTION_CLOSED'), 'upstream_unavailable'],
  ['a violated constraint', withCode('23505'), 'internal'],
  ['a statement that took too long', withCode('57014'), 'internal'],
  ['a mistake of ours', new TypeError('x is undefined'), 'internal'],
  ['a thrown text', 'oops', 'internal'],
  ['nothing', undefined, 'internal'],
])('%s', (_, error, code) => {
  expect(asProblem(error)).toMatchObject({ code });
});

test("Node's own connection error is known in every realm", async () => {
  const error = await new Promise((resolve) => connect(1, '127.0.0.1').once('error', resolve));
  expect(asProblem(error)).toMatchObject({ code: 'upstream_unavailable', more: { retryAfterSeconds: 2 } });
});

test('extras cannot pass for the members that every problem has', () => {
  const problem = new ProblemError('conflict', 'Taken', { extras: { status: 200, code: 'fine', bookingId: 'b' } });
  expect(problemBody(problem, '/x', 'r')).toEqual({
    type: '/docs/errors#conflict',
    title: expect.any(String),
    status: 409,
    code: 'conflict',
    detail: 'Taken',
    instance: '/x',
    requestId: 'r',
    bookingId: 'b',
  });
});

describe('fields that are wrong', () => {
  const schema = z.strictObject({ items: z.array(z.strictObject({ size: z.int() })) });
  const errorsOf = (value: unknown, prefix?: string) => {
    const { error } = schema.safeParse(value);
    return error ? (fromZod(error, prefix).more.errors ?? []) : [];
  };

  test('are named by their place', () => {
    expect(errorsOf({ items: [{ size: 1 }, { size: 'x' }] })).toEqual([
      { path: 'items.1.size', message: expect.any(String) },
    ]);
    expect(errorsOf({}, 'query')).toEqual([{ path: 'query.items', message: expect.any(String) }]);
  });

  test('that nobody knows are named one by one, however long', () => {
    const name = 'x'.repeat(5_000);
    expect(errorsOf({ items: [{ size: 1, a: 1, [name]: 2 }] })).toEqual([
      { path: 'items.0.a', message: 'is not a known field' },
      { path: `items.0.${name.slice(0, 100)}`, message: 'is not a known field' },
    ]);
  });

  test('are at most fifty', () => {
    expect(errorsOf({ items: Array.from({ length: 80 }, () => ({})) })).toHaveLength(50);
  });
});

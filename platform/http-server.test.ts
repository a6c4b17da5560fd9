import { gzipSync } from 'node:zlib';
import { type Ask, ask } from '../tests/support/service';
import { SECRET_TEXT, thingsService, tokens, tutor } from '../tests/support/things';
import { uuidv7 } from './ids';
import { Problem } from './schemas';

const { url } = thingsService();

const post = (options: Ask) => ask(url(), 'POST', '/api/things', { token: 'tutor', key: 'k', ...options });

describe('a request is checked before its handler sees it', () => {
  test('a valid one is answered with the status and body of the handler', async () => {
    expect(await post({ body: { name: ' Ünï ' } })).toMatchObject({ status: 201, body: { id: 'tutor Ünï' } });
    const id = uuidv7();
    expect(await ask(url(), 'DELETE', `/internal/things/${id}`, { token: await tokens.issue() })).toMatchObject({
      status: 204,
      body: '',
    });
  });

  test.each<[string, Ask, number, string]>([
    ['no token', { token: '' }, 401, 'unauthenticated'],
    ['a bad token', { token: 'forged' }, 401, 'unauthenticated'],
    ['another role', { token: 'student' }, 403, 'forbidden'],
    ['no key', { key: '' }, 400, 'idempotency_key_required'],
    ['a key with a space', { key: 'a b' }, 400, 'invalid_idempotency_key'],
    ['a key of 256 characters', { key: 'k'.repeat(256) }, 400, 'invalid_idempotency_key'],
    ['broken JSON', { raw: '{"name":' }, 400, 'malformed_body'],
    ['bytes that are not UTF-8', { raw: Buffer.from([0x22, 0xff, 0x22]) }, 400, 'malformed_body'],
    ['no body', {}, 422, 'validation_failed'],
    [
      'a body of another type',
      { raw: 'name=x', headers: { 'content-type': 'text/plain' } },
      415,
      'unsupported_media_type',
    ],
    [
      'JSON in another character set',
      { raw: '{"name":"x"}', headers: { 'content-type': 'application/json; charset=latin1' } },
      415,
      'unsupported_media_type',
    ],
    [
      'an encoding nobody knows',
      { raw: 'x', headers: { 'content-encoding': 'snappy' } },
      415,
      'unsupported_media_type',
    ],
    ['a body that does not inflate', { raw: 'x', headers: { 'content-encoding': 'gzip' } }, 400, 'malformed_body'],
    ['100 KiB and one byte', { raw: `"${'x'.repeat(100 * 1024 - 1)}"` }, 413, 'payload_too_large'],
    [
      'a small body that inflates to a large one',
      { raw: gzipSync('x'.repeat(200_000)), headers: { 'content-encoding': 'gzip' } },
      413,
      'payload_too_large',
    ],
    ['nesting without end', { raw: '['.repeat(40_000) + ']'.repeat(40_000) }, 422, 'validation_failed'],
    ['NUL in a text', { body: { name: 'a\u0000b' } }, 422, 'validation_failed'],
    ['half a surrogate pair', { raw: '{"name":"\\ud800"}' }, 422, 'validation_failed'],
  ])('%s is refused', async (_, options, status, code) => {
    const reply = await post({
      ...(options.raw === undefined && code !== 'validation_failed' && { body: { name: 'x' } }),
      ...options,
    });
    expect(reply).toMatchObject({ status, body: { code, status } });
    expect(reply.headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(Problem.safeParse(reply.body).error).toBeUndefined();
    expect(reply.headers['www-authenticate']).toBe(status === 401 ? 'Bearer' : undefined);
  });

  test('an administrator is let in after a second factor alone, and then where the role is', async () => {
    const list = (token: string) => ask(url(), 'GET', '/api/things', { token });
    expect(await list('admin')).toMatchObject({ status: 403, body: { code: 'second_factor_required' } });
    expect((await list('admin-mfa')).status).toBe(200);
    for (const token of ['admin', 'admin-mfa'])
      expect(await post({ token, body: { name: 'x' } })).toMatchObject({ status: 403, body: { code: 'forbidden' } });
  });

  test('a compressed body is read', async () => {
    const packed = gzipSync(JSON.stringify({ name: 'x' }));
    expect(await post({ raw: packed, headers: { 'content-encoding': 'gzip' } })).toMatchObject({ status: 201 });
  });

  test('every wrong field is named, unknown ones and those of the query too', async () => {
    const { body } = await post({ body: { size: 1.5, role: 'admin' } });
    expect(body.errors.map((error: { path: string }) => error.path).sort()).toEqual(['name', 'role', 'size']);
    const query = await ask(url(), 'GET', '/api/things?limit=0&sort=x', { token: 'student' });
    expect(query.body.errors.map((error: { path: string }) => error.path).sort()).toEqual([
      'query.limit',
      'query.sort',
    ]);
  });

  test('a limit that is empty, doubled or no number is refused and not taken for one', async () => {
    for (const query of ['limit=', 'limit=1&limit=2', 'limit=ten', 'limit=%20', 'limit=1.5', 'limit[]=1'])
      expect(await ask(url(), 'GET', `/api/things?${query}`, { token: 'student' })).toMatchObject({ status: 422 });
    expect((await ask(url(), 'GET', '/api/things?limit=7', { token: 'student' })).body.limit).toBe(7);
    expect((await ask(url(), 'GET', '/api/things', { token: 'student' })).body).toEqual({
      userId: tutor.id,
      limit: 20,
    });
  });

  test('an internal operation takes no user token and a public one no service token', async () => {
    const path = `/internal/things/${uuidv7()}`;
    for (const token of [undefined, 'tutor']) {
      expect(await ask(url(), 'DELETE', path, token ? { token } : {})).toMatchObject({ status: 401 });
    }
    expect(await ask(url(), 'GET', '/api/things', { token: await tokens.issue() })).toMatchObject({ status: 401 });
  });

  test('an id that is none, and a path that cannot be decoded, are not found', async () => {
    for (const id of ['1', 'x'.repeat(5_000), '%00', '%ff', '%E0%A4%A'])
      expect(await ask(url(), 'PATCH', `/api/things/${id}`, { body: { name: 'x' } })).toMatchObject({
        status: 404,
        body: { code: 'not_found' },
      });
  });

  test('a signed call sees the bytes as they came, whatever they are', async () => {
    const reply = await ask(url(), 'POST', '/api/hook', {
      raw: Buffer.from([0, 255, 10]),
      headers: { 'content-type': 'x/y' },
    });
    expect(reply).toMatchObject({ status: 200, body: { bytes: 3 } });
  });
});

describe('what two requests under one key must share', () => {
  const change = async (id: string, options: Ask) =>
    (await ask(url(), 'PATCH', `/api/things/${id}`, options)).body.fingerprint as string;
  const id = uuidv7();

  test('is the same for another order of members, white space and an id in capitals', async () => {
    const first = await change(id, { raw: '{"name":"x","size":1}' });
    expect(await change(id, { raw: '{ "size": 1, "name": "x" }' })).toBe(first);
    expect(await change(id.toUpperCase(), { raw: '{"name":"x","size":1}' })).toBe(first);
    expect(await change(`${id}/`, { raw: '{"name":"x","size":1}' })).toBe(first);
  });

  test('differs for another body and another resource', async () => {
    const first = await change(id, { body: { name: 'x' } });
    expect(await change(id, { body: { name: 'y' } })).not.toBe(first);
    expect(await change(id, { body: { name: 'x', size: 1 } })).not.toBe(first);
    expect(await change(uuidv7(), { body: { name: 'x' } })).not.toBe(first);
  });

  test('an id reaches the handler in lower case', async () => {
    const reply = await ask(url(), 'PATCH', `/api/things/${id.toUpperCase()}`, { body: { name: 'x' }, key: 'k' });
    expect(reply.body).toMatchObject({ id, key: 'k' });
  });
});

describe('errors', () => {
  test('nothing of an unexpected error is told', async () => {
    for (const how of ['internal', 'database']) {
      const reply = await ask(url(), 'GET', `/api/fail/${how}`);
      expect(JSON.stringify([reply.body, reply.headers])).not.toContain(SECRET_TEXT);
      expect(reply.status).toBe(how === 'internal' ? 500 : 503);
    }
  });

  test('a refusal carries its extras, headers and time to wait', async () => {
    expect(await ask(url(), 'GET', '/api/fail/refuse?token=secret')).toMatchObject({
      status: 409,
      headers: { link: '</x>' },
      body: { code: 'conflict', detail: 'Not now', thingId: 'x', instance: '/api/fail/refuse' },
    });
    expect((await ask(url(), 'GET', '/api/fail/wait')).headers['retry-after']).toBe('7');
  });

  test('unknown paths and wrong methods are told apart, and the right methods are named', async () => {
    expect(await ask(url(), 'GET', '/api/nothing')).toMatchObject({ status: 404, body: { code: 'not_found' } });
    expect(await ask(url(), 'GET', '/API/things')).toMatchObject({ status: 404 });
    const wrong = await ask(url(), 'PUT', '/api/things', { token: 'tutor' });
    expect(wrong).toMatchObject({ status: 405, body: { code: 'method_not_allowed' }, headers: { allow: 'POST, GET' } });
  });
});

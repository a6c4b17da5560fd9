import { SignJWT } from 'jose';
import { serviceTokens } from '../../platform/auth';
import { uuidv7 } from '../../platform/ids';
import { metrics } from '../../platform/telemetry';
import { problem, raw, startTestGateway, type TestGateway, tokenSigner, until } from '../../tests/support/gateway';
import { freePort } from '../../tests/support/ports';

const unauthenticated = {
  status: 401,
  headers: { 'www-authenticate': 'Bearer', 'content-type': expect.stringMatching(/^application\/problem\+json/) },
  body: { code: 'unauthenticated', type: '/docs/errors#unauthenticated' },
};

describe('access tokens', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startTestGateway({ environment: { RATE_LIMIT_API: 'off' } });
  });
  afterAll(() => gateway.close());

  test('a good one is passed on, and none as well: the service decides what it needs', async () => {
    const token = await gateway.signer.sign();
    const signedIn = await gateway.ask('GET', '/api/bookings', { token });
    expect(signedIn.body.headers.authorization).toBe(`Bearer ${token}`);
    const anonymous = await gateway.ask('GET', '/api/tutors');
    expect(anonymous.status).toBe(200);
    expect(anonymous.body.headers).not.toHaveProperty('authorization');
  });

  test('a bad one is refused at the gateway and reaches no service', async () => {
    await gateway.ask('GET', '/api/tutors', { token: await gateway.signer.sign() }); // the keys are known from here on
    const good = await gateway.signer.sign();
    const [head, payload] = good.split('.');
    const none = Buffer.from('{"alg":"none"}').toString('base64url');
    const stranger = await tokenSigner();
    const confused = new SignJWT({ role: 'admin', sid: uuidv7() }).setProtectedHeader({ alg: 'HS256', kid: 'first' });
    const publicKey = new TextEncoder().encode(JSON.stringify(gateway.signer.jwks().keys[0]));
    const bad = {
      'alg none': `${none}.${payload}.`,
      'alg none with a signature': `${none}.${good.split('.').slice(1).join('.')}`,
      'no signature': `${head}.${payload}.`,
      'another payload': `${head}.${Buffer.from('{"sub":"x","role":"admin"}').toString('base64url')}.${good.split('.')[2]}`,
      'another key': await stranger.sign(),
      'an unknown kid': await gateway.signer.sign({ kid: 'nobody' }),
      'the public key as a secret': await confused
        .setAudience('tutorconnect-api')
        .setExpirationTime('5m')
        .sign(publicKey),
      expired: await gateway.signer.sign({ expires: Math.floor(Date.now() / 1_000) - 1 }),
      'wrong audience': await gateway.signer.sign({ audience: 'tutorconnect-internal' }),
      'wrong issuer': await gateway.signer.sign({ issuer: 'somebody' }),
      'a role that does not exist': await gateway.signer.sign({ role: 'root' }),
      'a subject that is no id': await gateway.signer.sign({ id: '1' }),
      "a service's own": await serviceTokens(gateway.config.SERVICE_TOKEN_SECRET).issue(),
      'no token at all': 'garbage',
    };
    const before = gateway.reached();
    for (const [name, token] of Object.entries(bad))
      expect([name, await gateway.ask('GET', '/api/tutors', { token })]).toMatchObject([name, unauthenticated]);
    for (const authorization of ['', 'Bearer', 'Basic dXNlcjpwYXNz', `Bearer ${good} x`, good])
      expect(await gateway.ask('GET', '/api/tutors', { headers: { authorization } })).toMatchObject(unauthenticated);
    // Only an unknown kid may have made the gateway look for new keys.
    expect(gateway.reached() - before).toBeLessThanOrEqual(1);
    expect(gateway.upstreams.tutoring.received.at(-1)?.headers.authorization).not.toBe(`Bearer ${bad.expired}`);
  });

  test('one of a new key is accepted without a restart, and those of the old key still are', async () => {
    const old = await gateway.signer.sign();
    expect((await gateway.ask('GET', '/api/tutors', { token: old })).status).toBe(200);
    await gateway.signer.rotate();
    const fresh = await gateway.signer.sign();
    await until(async () => (await gateway.ask('GET', '/api/tutors', { token: fresh })).status === 200);
    expect((await gateway.ask('GET', '/api/tutors', { token: old })).status).toBe(200);
  }, 15_000);

  test('are not looked at where Stripe signs instead', async () => {
    const reply = await gateway.ask('POST', '/api/stripe/webhooks', { token: 'garbage', raw: '{"id":"evt_1"}' });
    expect(reply).toMatchObject({ status: 200, body: { url: '/api/stripe/webhooks', body: '{"id":"evt_1"}' } });
    expect((await gateway.ask('POST', '/api/payments', { token: 'garbage' })).status).toBe(401);
  });

  test('without identity a token cannot be checked: 503, not 401, and anonymous reads go on', async () => {
    const alone = await startTestGateway({ environment: { IDENTITY_URL: `http://127.0.0.1:${await freePort()}` } });
    const token = await alone.signer.sign();
    expect(await alone.ask('GET', '/api/bookings', { token })).toMatchObject({
      status: 503,
      headers: { 'retry-after': '2' },
      body: { code: 'upstream_unavailable' },
    });
    expect((await alone.ask('GET', '/api/tutors')).status).toBe(200);
    await alone.close();
  });
});

describe('operation', () => {
  test('the gateway is alive and ready by itself, and names the services that are not', async () => {
    const gateway = await startTestGateway({ environment: { PAYMENT_URL: `http://127.0.0.1:${await freePort()}` } });
    expect(await gateway.ask('GET', '/healthz')).toMatchObject({ status: 200, body: { status: 'ok' } });
    expect(await gateway.readiness()).toEqual({ ready: true, degraded: ['payment'] });
    await gateway.close();
    const whole = await startTestGateway();
    expect(await whole.readiness()).toEqual({ ready: true, degraded: [] });
    await whole.close();
  });

  test('neither metrics nor readiness are for clients, and what is not there is not kept by caches', async () => {
    const gateway = await startTestGateway();
    const before = gateway.reached();
    for (const path of ['/metrics', '/readyz', '/api/metrics', '/api/tutors/../metrics', '/nothing'])
      expect(await gateway.ask('GET', path)).toMatchObject({
        ...problem(404, 'not_found'),
        headers: { 'cache-control': 'no-store', 'content-type': expect.stringMatching(/^application\/problem\+json/) },
      });
    expect(gateway.reached()).toBe(before);
    await gateway.close();
  });

  test('metrics count answers by context and never by path', async () => {
    const gateway = await startTestGateway();
    await gateway.ask('GET', '/api/bookings/0197b0c0-0000-7000-8000-000000000000');
    await gateway.ask('GET', '/api/unknown/secret-path');
    const body = await metrics.metrics();
    expect(body).toMatch(
      /http_request_duration_seconds_count\{service="gateway",operation="booking",status="200"\} \d/,
    );
    expect(body).not.toContain('secret-path');
    await gateway.close();
  });
});

test('stopping lets running requests end and frees the port', async () => {
  const stopping = await startTestGateway({ environment: { RATE_LIMIT_API: 'off' } });
  let finish = () => {};
  stopping.upstreams.booking.answer = (_received, response) => {
    finish = () => response.end('done');
  };
  const running = stopping.ask('GET', '/api/bookings', { headers: { connection: 'close' } });
  await until(() => stopping.upstreams.booking.received.length === 1);
  const closed = stopping.close();
  finish();
  expect((await running).body).toBe('done');
  await closed;
  await expect(raw(stopping.port, '')).rejects.toThrow('ECONNREFUSED');
});

test('a port that is taken is explained by the setting that moves it', async () => {
  const gateway = await startTestGateway();
  await expect(startTestGateway({ environment: { GATEWAY_PORT: String(gateway.port) } })).rejects.toThrow(
    `Port ${gateway.port} is taken: stop what uses it, or set GATEWAY_PORT to another`,
  );
  await gateway.close();
});

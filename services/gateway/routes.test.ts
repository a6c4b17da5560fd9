import { SignJWT } from 'jose';
import { serviceTokens } from '../../platform/auth';
import { uuidv7 } from '../../platform/ids';
import { startTestGateway, type TestGateway, tokenSigner, until } from '../../tests/support/gateway';
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

describe('the limit of requests', () => {
  let gateway: TestGateway;
  beforeEach(async () => {
    gateway = await startTestGateway({ environment: { RATE_LIMIT_API: '3' } });
  });
  afterEach(() => gateway.close());

  test('counts down on every reply and refuses the one too many with Retry-After, before any service', async () => {
    for (const left of [2, 1, 0]) {
      const { status, headers } = await gateway.ask('GET', '/api/tutors');
      expect(status).toBe(200);
      expect(headers['ratelimit-policy']).toBe('"api";q=3;w=60');
      expect(headers.ratelimit).toMatch(new RegExp(`^"api";r=${left};t=\\d+$`));
    }
    const reached = gateway.reached();
    const refused = await gateway.ask('GET', '/api/tutors');
    expect(refused).toMatchObject({ status: 429, body: { code: 'rate_limited', status: 429 } });
    expect(refused.headers.ratelimit).toMatch(/^"api";r=0;t=\d+$/);
    expect(refused.headers['retry-after']).toMatch(/^\d+$/);
    expect(gateway.reached()).toBe(reached);
  });

  test('is per user: one who is over it stops nobody else', async () => {
    const [ana, ben] = [uuidv7(), uuidv7()];
    const asks = async (id: string) =>
      (await gateway.ask('GET', '/api/bookings', { token: await gateway.signer.sign({ id }) })).status;
    expect([await asks(ana), await asks(ana), await asks(ana), await asks(ana)]).toEqual([200, 200, 200, 429]);
    expect(await asks(ben)).toBe(200);
    expect((await gateway.ask('GET', '/api/tutors')).status).toBe(200);
  });

  test('counts bad tokens and unknown paths against the address', async () => {
    expect((await gateway.ask('GET', '/api/tutors', { token: 'bad' })).status).toBe(401);
    const unknown = await gateway.ask('GET', '/api/unknown');
    expect(unknown).toMatchObject({ status: 404, headers: { 'ratelimit-policy': '"api";q=3;w=60' } });
    expect(unknown.headers.ratelimit).toContain('r=1;');
    expect((await gateway.ask('GET', '/api/tutors', { token: 'worse' })).status).toBe(401);
    expect((await gateway.ask('GET', '/api/tutors', { token: 'again' })).status).toBe(429);
  });

  test('cannot be escaped by claiming another address', async () => {
    const statuses: number[] = [];
    for (const n of [1, 2, 3, 4])
      statuses.push(
        (await gateway.ask('GET', '/api/tutors', { headers: { 'x-forwarded-for': `10.0.0.${n}` } })).status,
      );
    expect(statuses).toEqual([200, 200, 200, 429]);
  });

  describe('behind a proxy that is trusted', () => {
    let proxied: TestGateway;
    beforeEach(async () => {
      const environment = { RATE_LIMIT_API: '1', TRUSTED_PROXIES: '127.0.0.1, 10.0.0.0/8' };
      proxied = await startTestGateway({ environment });
    });
    afterEach(() => proxied.close());

    const from = (forwarded: string) =>
      proxied.ask('GET', '/api/tutors', { headers: { 'x-forwarded-for': forwarded } });

    test('is per address that the proxy names, and so the service is told', async () => {
      const first = await from('192.0.2.1');
      expect(first.body.headers['x-forwarded-for']).toBe('192.0.2.1');
      expect((await from('192.0.2.2, 10.1.2.3')).body.headers['x-forwarded-for']).toBe('192.0.2.2');
      expect((await from('192.0.2.1')).status).toBe(429);
    });

    test('does not believe what a client wrote before the proxy', async () => {
      expect((await from('198.51.100.1, 192.0.2.1')).status).toBe(200);
      expect((await from('198.51.100.2, 192.0.2.1')).status).toBe(429);
    });

    test('counts the proxy itself where it names no address', async () => {
      const first = await from('unknown');
      expect(first.body.headers['x-forwarded-for']).toBe('127.0.0.1');
      expect((await from('somebody')).status).toBe(429);
    });
  });

  test('of many at once lets exactly as many through', async () => {
    const replies = await Promise.all(Array.from({ length: 20 }, () => gateway.ask('GET', '/api/tutors')));
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(3);
    expect(replies.filter(({ status }) => status === 429)).toHaveLength(17);
  });

  test("stands beside the service's own in the same fields", async () => {
    gateway.upstreams.identity.answer = (_received, response) => {
      response.setHeader('RateLimit-Policy', '"login";q=10;w=60').setHeader('RateLimit', '"login";r=9;t=60').end();
    };
    const { headers } = await gateway.ask('POST', '/api/auth/login', { body: {} });
    expect(headers['ratelimit-policy']).toBe('"api";q=3;w=60, "login";q=10;w=60');
    expect(headers.ratelimit).toMatch(/^"api";r=2;t=\d+, "login";r=9;t=60$/);
  });

  test('does not hold for Stripe, nor for health and documentation', async () => {
    for (let n = 0; n < 6; n++) {
      const webhook = await gateway.ask('POST', '/api/stripe/webhooks', { body: {} });
      expect(webhook.status).toBe(200);
      expect(webhook.headers).not.toHaveProperty('ratelimit');
      expect((await gateway.ask('GET', '/healthz')).status).toBe(200);
    }
  });

  test('is not announced when it is off', async () => {
    const free = await startTestGateway({ environment: { RATE_LIMIT_API: 'off' } });
    const { headers } = await free.ask('GET', '/api/tutors');
    expect(headers).not.toHaveProperty('ratelimit');
    expect(headers).not.toHaveProperty('ratelimit-policy');
    await free.close();
  });
});

describe('browsers', () => {
  let gateway: TestGateway;
  const origin = 'https://app.example.org';
  beforeAll(async () => {
    gateway = await startTestGateway({ environment: { CORS_ORIGINS: `${origin},http://localhost:3000` } });
  });
  afterAll(() => gateway.close());

  const preflight = (path: string, from: string) =>
    gateway.ask('OPTIONS', path, {
      headers: {
        origin: from,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization,idempotency-key',
      },
    });

  test('of a listed origin may call, with the headers that clients need, and read those that matter', async () => {
    const before = gateway.reached();
    const allowed = await preflight('/api/bookings', origin);
    expect(allowed).toMatchObject({
      status: 204,
      headers: {
        'access-control-allow-origin': origin,
        'access-control-max-age': '600',
        vary: expect.stringMatching(/Origin/),
      },
    });
    expect(allowed.headers['access-control-allow-headers']).toMatch(/Authorization.*Idempotency-Key/);
    expect(allowed.headers['access-control-allow-methods']).toBe('GET,HEAD,POST,PUT,PATCH,DELETE');
    expect(allowed.headers).not.toHaveProperty('access-control-allow-credentials');
    expect(gateway.reached()).toBe(before);
    const { headers } = await gateway.ask('GET', '/api/tutors', { headers: { origin } });
    expect(headers['access-control-allow-origin']).toBe(origin);
    for (const name of ['Location', 'Retry-After', 'RateLimit', 'RateLimit-Policy', 'X-Request-Id'])
      expect(String(headers['access-control-expose-headers']).split(',')).toContain(name);
  });

  test('can read refusals as well', async () => {
    const refused = await gateway.ask('GET', '/api/tutors', { token: 'bad', headers: { origin } });
    expect(refused).toMatchObject({ status: 401, headers: { 'access-control-allow-origin': origin } });
  });

  test.each(['https://evil.example', 'https://app.example.org.evil.example', 'http://app.example.org', 'null'])(
    'of %s may not',
    async (from) => {
      expect((await preflight('/api/bookings', from)).headers).not.toHaveProperty('access-control-allow-origin');
      const { headers } = await gateway.ask('GET', '/api/tutors', { headers: { origin: from } });
      expect(headers).not.toHaveProperty('access-control-allow-origin');
    },
  );

  test('of no origin may call unless one is listed', async () => {
    const closed = await startTestGateway();
    const { headers } = await closed.ask('GET', '/api/tutors', { headers: { origin } });
    expect(headers).not.toHaveProperty('access-control-allow-origin');
    await closed.close();
  });

  test('are told to trust nothing in an API reply', async () => {
    for (const path of ['/api/tutors', '/api/unknown', '/healthz']) {
      const { headers } = await gateway.ask('GET', path);
      expect(headers).toMatchObject({
        'content-security-policy': expect.stringContaining("default-src 'none'"),
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
        'referrer-policy': 'no-referrer',
        'strict-transport-security': expect.any(String),
        'x-request-id': expect.any(String),
      });
      expect(headers).not.toHaveProperty('x-powered-by');
      expect(headers['content-security-policy']).not.toContain('unsafe');
    }
  });
});

describe('operation', () => {
  test('the gateway is alive and ready by itself, and names the services that are not', async () => {
    const gateway = await startTestGateway({ environment: { PAYMENT_URL: `http://127.0.0.1:${await freePort()}` } });
    expect(await gateway.ask('GET', '/healthz')).toMatchObject({ status: 200, body: { status: 'ok' } });
    expect(await gateway.ask('GET', '/readyz')).toMatchObject({
      status: 200,
      body: { status: 'degraded', degraded: ['payment'] },
    });
    await gateway.close();
    const whole = await startTestGateway();
    expect((await whole.ask('GET', '/readyz')).body).toEqual({ status: 'ready', degraded: [] });
    await whole.close();
  });

  test('metrics count answers by context and never by path', async () => {
    const gateway = await startTestGateway();
    await gateway.ask('GET', '/api/bookings/0197b0c0-0000-7000-8000-000000000000');
    await gateway.ask('GET', '/api/unknown/secret-path');
    const { body, status } = await gateway.ask('GET', '/metrics');
    expect(status).toBe(200);
    expect(body).toMatch(
      /http_request_duration_seconds_count\{service="gateway",operation="booking",status="200"\} \d/,
    );
    expect(body).not.toContain('secret-path');
    await gateway.close();
  });
});

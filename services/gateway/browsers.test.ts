import { startTestGateway, type TestGateway } from '../../tests/support/gateway';

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

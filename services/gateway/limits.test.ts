import { uuidv7 } from '../../platform/ids';
import { startTestGateway, type TestGateway } from '../../tests/support/gateway';

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

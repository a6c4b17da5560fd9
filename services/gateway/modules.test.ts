import { startTestGateway, type TestGateway } from '../../tests/support/gateway';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway({ without: ['payment'] });
});
afterAll(() => gateway.close());

test('a path of what is switched off is answered as such, whoever asks, and what is on is passed on', async () => {
  const off = {
    status: 404,
    body: { code: 'module_off', detail: 'The module core is switched off here', type: '/docs/errors#module_off' },
  };
  expect(await gateway.ask('GET', '/api/payments/1')).toMatchObject(off);
  expect(await gateway.ask('POST', '/api/v1/payments', { body: {}, token: await gateway.signer.sign() })).toMatchObject(
    off,
  );
  // Stripe's webhooks need no token and are not counted.
  expect(await gateway.ask('POST', '/api/stripe/webhooks', { body: {} })).toMatchObject(off);
  expect(await gateway.ask('GET', '/api/tutors')).toMatchObject({ status: 200 });
  expect(await gateway.ask('GET', '/api/paymentsx')).toMatchObject({ status: 404, body: { code: 'not_found' } });
});

test('requests for it are counted as all others are', async () => {
  const { headers } = await gateway.ask('GET', '/api/payments/1');
  expect(headers['ratelimit-policy']).toBeDefined();
});

test('the reference and readiness do without it', async () => {
  const describe = { openapi: '3.1.0', info: {}, paths: {}, components: {} };
  const topics = { 'booking.events': {}, 'payment.events': {} };
  const tell = { asyncapi: '3.0.0', channels: topics, operations: topics };
  for (const [context, upstream] of Object.entries(gateway.upstreams))
    if (context !== 'identity')
      upstream.answer = (_, response) =>
        void response.setHeader('content-type', 'application/json').end(JSON.stringify({ ...describe, ...tell }));
  const { body } = await gateway.ask('GET', '/openapi.json');
  expect(body.tags.map(({ name }: { name: string }) => name)).not.toContain('payment');
  expect(body.tags.map(({ name }: { name: string }) => name)).toContain('booking');
  expect(body['x-degraded'] ?? []).not.toContain('payment');
  const events = await gateway.ask('GET', '/asyncapi.json');
  expect(Object.keys(events.body.channels)).toEqual(['booking.events']);
  expect(events.body['x-degraded'] ?? []).not.toContain('payment');
  await gateway.upstreams.payment.close();
  expect(await gateway.readiness()).toEqual({ ready: true, degraded: [] });
  expect(gateway.upstreams.payment.received).toEqual([]);
});

import type { Bus } from '../../platform/bus/open';
import { type Accounts, startAccounts } from '../../tests/support/accounts';
import { problem, startTestGateway, type TestGateway, until } from '../../tests/support/gateway';
import { type OwnBus, startOwnBus } from '../../tests/support/own-bus';
import type { Ask } from '../../tests/support/service';

// A gateway, identity and a bus between them, which hangs.

jest.setTimeout(60_000);

let own: OwnBus;
const buses: Bus[] = [];
let accounts: Accounts;
let gateway: TestGateway;

beforeAll(async () => {
  own = await startOwnBus();
  const [identitys, gateways] = [own.open(), own.open()];
  buses.push(identitys, gateways);
  accounts = await startAccounts({ RATE_LIMIT_LOGIN: 'off', RATE_LIMIT_REGISTER: 'off' }, identitys);
  gateway = await startTestGateway({
    environment: { IDENTITY_URL: accounts.service.url, RATE_LIMIT_API: 'off' },
    bus: gateways,
  });
  gateway.upstreams.booking.answer = (_received, response) => void response.end('ok');
});
afterAll(async () => {
  await gateway?.close();
  await Promise.all(buses.map((bus) => bus.close()));
  await own?.stop();
});

test('a session that ends while the bus hangs is refused at once, others go on, and without identity nobody is let in', async () => {
  await until(async () => (await gateway.readiness()).ready);
  const { user, accessToken } = await accounts.signUp();
  const [first, second]: string[] = await Promise.all(
    [1, 2].map(async () => (await accounts.login(user.email)).body.tokens.accessToken),
  );
  const ask = (token = '') => gateway.ask('GET', '/api/bookings', { token } satisfies Ask);
  const end = async (token = '') => {
    const { body } = await accounts.service.ask('GET', '/api/auth/sessions', { token });
    const { id } = body.items.find(({ current }: { current: boolean }) => current);
    expect((await accounts.service.ask('DELETE', `/api/auth/sessions/${id}`, { token })).status).toBe(204);
  };
  for (const token of [accessToken, first, second]) expect((await ask(token)).status).toBe(200);

  const frozen = own.freeze();
  await end(first);
  await until(async () => (await ask(first)).status === 401);
  // From here on it asks.
  await end(second);
  expect(await ask(second)).toMatchObject({
    ...problem(401, 'unauthenticated'),
    body: { detail: 'The session of this access token has ended' },
  });
  expect((await ask(accessToken)).status).toBe(200);
  expect((await gateway.readiness()).degraded).toContain('bus');

  await accounts.close();
  await until(async () => (await ask(accessToken)).status !== 200);
  const unknown = await ask(accessToken);
  expect(unknown).toMatchObject(problem(503, 'upstream_unavailable'));
  expect(Number(unknown.headers['retry-after'])).toBeGreaterThan(0);
  expect((await ask(second)).status).toBe(401);

  frozen.thaw();
  await until(async () => (await ask(accessToken)).status === 200);
  for (const token of [first, second]) expect((await ask(token)).status).toBe(401);
});

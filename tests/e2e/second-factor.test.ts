import { codeOf } from '../../dev/machine/authenticator';
import { uuidv7 } from '../../platform/ids';
import { operations } from '../support/contracts';
import { createMarketplace, type Marketplace } from '../support/marketplace';
import { eventually, startTestPlatform, type TestPlatform } from '../support/platform';
import { expectProblem } from '../support/problems';
import { type Enrolled, enrolled, nextCode } from '../support/second-factor';
import { softwareAuthenticator } from '../support/software-authenticator';

/** What a second factor is asked for, on the whole running platform. */

jest.setTimeout(240_000);

let platform: TestPlatform;
let market: Marketplace;
beforeAll(async () => {
  platform = await startTestPlatform();
  market = createMarketplace(platform);
});
afterAll(() => platform?.stop());

const post = (path: string, body: object, token?: string) =>
  platform.ask('POST', `/api/auth/${path}`, { body, ...(token !== undefined && { token }) });
const logIn = (email: string) => post('login', { email, password: market.password });

/** What an administrator may do without: to see who they are, and to set it up. */
const NEEDS_NONE = new Set(['getMe', 'startTotp', 'confirmTotp']);

/** Somebody without a second factor, made an administrator. */
async function promoted(): Promise<{ id: string; email: string; token: string; refreshToken: string }> {
  const { id, email } = await market.student();
  await platform.database('identity')`update users set role = 'admin' where id = ${id}`;
  const { accessToken, refreshToken } = (await logIn(email)).body.tokens;
  return { id, email, token: accessToken, refreshToken };
}

test('a person sets it up, is told by mail, signs in with it, gives it up, and is told again', async () => {
  const { email } = await market.student();
  const { secret, recoveryCodes } = await enrolled(platform, { email, password: market.password });
  const mailed = (subject: string) =>
    eventually(`the mail “${subject}” has come`, async () =>
      (await platform.mails()).find((mail) => mail.recipients.includes(email) && mail.subject?.includes(subject)),
    );
  const added = await mailed('asks for a second factor');
  const challenge = async () => (await logIn(email)).body.challenge.id;
  const met = await post('login/challenge', { challengeId: await challenge(), code: nextCode(secret) });
  expect(met.status).toBe(200);
  const token = met.body.tokens.accessToken;
  expect((await platform.ask('GET', '/api/bookings', { token })).status).toBe(200);
  const [code = '', another = ''] = recoveryCodes;
  const body = { password: market.password, code };
  expect((await post('login/challenge', { challengeId: await challenge(), code: another })).status).toBe(200);
  expect((await platform.ask('DELETE', '/api/auth/totp', { token, body })).status).toBe(204);
  const removed = await mailed('no second factor any more');
  expect((await logIn(email)).status).toBe(200);
  for (const { text } of [added, removed])
    for (const word of [secret, ...recoveryCodes]) expect(text).not.toContain(word);
});

test('a passkey stands in for the code', async () => {
  const { email } = await market.student();
  const { token } = await enrolled(platform, { email, password: market.password });
  const device = softwareAuthenticator(new URL(platform.gatewayUrl).origin);
  const begun = await post('passkeys/start', { password: market.password }, token);
  expect((await post('passkeys', { credential: device.create(begun.body.options) }, token)).status).toBe(201);
  const { id: challengeId, passkey } = (await logIn(email)).body.challenge;
  const met = await post('login/challenge', { challengeId, passkey: device.get(passkey) });
  expect(met.status).toBe(200);
  expect((await platform.ask('GET', '/api/auth/me', { token: met.body.tokens.accessToken })).body.email).toBe(email);
  await eventually('the mail about the passkey has come', async () =>
    (await platform.mails()).some((mail) => mail.recipients.includes(email) && mail.subject?.includes('new passkey')),
  );
});

describe('an administrator', () => {
  let without: Awaited<ReturnType<typeof promoted>>;
  let shown: Enrolled;
  let tutor: string;
  beforeAll(async () => {
    without = await promoted();
    const { email } = await promoted();
    shown = await enrolled(platform, { email, password: market.password });
    tutor = (await market.payees(1))[0]?.token ?? '';
  });

  const isForPeople = ({ path, access }: (typeof operations)[number]) =>
    path.startsWith('/api/') && access !== 'service';
  const all = operations.filter(isForPeople).map((operation) => [operation.operationId, operation] as const);

  test('finds every operation of the reference in the matrix', async () => {
    const { body } = await platform.ask('GET', '/openapi.json');
    const listed = Object.values<Record<string, { operationId: string }>>(body.paths).flatMap((methods) =>
      Object.values(methods).map(({ operationId }) => operationId),
    );
    expect(all.map(([operationId]) => operationId).sort()).toEqual(listed.sort());
  });

  test.each(all)(
    '%s is refused without a second factor unless it is one by which that is set up',
    async (operationId, operation) => {
      const { access, method, idempotency } = operation;
      const path = operation.path.replaceAll(/\{\w+\}/g, () => uuidv7());
      const ask = async (token: string) => {
        const key = idempotency === undefined || idempotency === 'none' ? {} : { key: uuidv7() };
        const { status, body } = await platform.ask(method.toUpperCase(), path, { token, ...key });
        return status >= 400 ? body.code : 'done';
      };
      const refused = await ask(without.token);
      if (NEEDS_NONE.has(operationId) || access === 'anonymous' || access === 'signed')
        expect(refused).not.toBe('second_factor_required');
      else expect(refused).toBe(access === 'user' || access.includes('admin') ? 'second_factor_required' : 'forbidden');
      for (const token of [shown.token, tutor]) expect(await ask(token)).not.toBe('second_factor_required');
    },
  );

  test('who gives it up is refused at every service', async () => {
    const { id, email } = await promoted();
    const { token, recoveryCodes } = await enrolled(platform, { email, password: market.password });
    const doors = ['/api/users', '/api/payment-acts', '/api/booking-acts'];
    for (const path of doors) expect((await platform.ask('GET', path, { token })).status).toBe(200);
    const body = { password: market.password, code: recoveryCodes[0] };
    expect((await platform.ask('DELETE', '/api/auth/totp', { token, body })).status).toBe(204);
    for (const path of doors)
      await eventually(`${path} is refused to ${id}`, async () => {
        const { status } = await platform.ask('GET', path, { token });
        return status === 401;
      });
    expectProblem(
      await platform.ask('GET', '/api/users', { token: (await logIn(email)).body.tokens.accessToken }),
      ...([403, 'second_factor_required'] as const),
    );
  });

  test('sets it up and goes on in the same session', async () => {
    const { secret } = (await post('totp', { password: market.password }, without.token)).body;
    expect((await post('totp/confirm', { code: codeOf(secret) }, without.token)).status).toBe(200);
    const { body } = await post('refresh', { refreshToken: without.refreshToken });
    for (const path of ['/api/users', '/api/payment-acts', '/api/booking-acts'])
      expect((await platform.ask('GET', path, { token: body.tokens.accessToken })).status).toBe(200);
  });
});

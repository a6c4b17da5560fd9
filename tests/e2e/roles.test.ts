import { decodeJwt } from 'jose';
import { workflowTroubles } from '../../dev/chaos/reconciliation';
import { createMarketplace, type Marketplace, type Person } from '../support/marketplace';
import { eventually, startTestPlatform, type TestPlatform } from '../support/platform';
import { expectProblem } from '../support/problems';
import { administrator, enrolled, nextCode } from '../support/second-factor';
import { ALWAYS } from '../support/tutors';

// Roles that change, with everything running as it is installed.

jest.setTimeout(120_000);

let platform: TestPlatform;
let market: Marketplace;
beforeAll(async () => {
  platform = await startTestPlatform();
  market = createMarketplace(platform);
});
afterAll(() => platform?.stop());

const reason = 'Asked for by phone';
const signIn = async ({ email }: Person) => {
  const { status, body } = await platform.ask('POST', '/api/auth/login', {
    body: { email, password: market.password },
  });
  expect(status).toBe(200);
  return { accessToken: String(body.tokens.accessToken), refreshToken: String(body.tokens.refreshToken) };
};
const changeRole = (by: string, { id }: Person, role: string) =>
  platform.ask('PATCH', `/api/users/${id}/role`, { token: by, body: { role, reason } });
const isTold = ({ email }: Person, words: string) =>
  eventually(`${email} is told: ${words}`, async () =>
    (await platform.mails()).some(({ recipients, text }) => recipients.includes(email) && text?.includes(words)),
  );

/** Somebody whom the holder of the database made an administrator, signed in. */
async function admin(): Promise<{ person: Person; token: string }> {
  const person = await market.student();
  const { email } = person;
  const { token } = await administrator(platform, platform.database('identity'), { email, password: market.password });
  return { person, token };
}

test('who becomes an administrator, and is none again, has in each moment what they are, at every service', async () => {
  const by = await admin();
  const who = await market.student();
  const before = await signIn(who);
  expect((await platform.ask('GET', '/api/bookings', { token: before.accessToken })).status).toBe(200);
  expect((await changeRole(by.token, who, 'admin')).body).toMatchObject({ id: who.id, role: 'admin' });
  const isRefused = (token: string, path: string) =>
    eventually(
      `${path} refuses the token of before`,
      async () => (await platform.ask('GET', path, { token })).status === 401,
    );
  for (const path of ['/api/auth/me', '/api/bookings']) await isRefused(before.accessToken, path);
  const { refreshToken } = before;
  expectProblem(await platform.ask('POST', '/api/auth/refresh', { body: { refreshToken } }), 401);
  const bare = (await signIn(who)).accessToken;
  expectProblem(await platform.ask('GET', '/api/booking-acts', { token: bare }), 403, 'second_factor_required');
  const { email } = who;
  const asAdmin = await enrolled(platform, { email, password: market.password });
  expect((await platform.ask('GET', '/api/booking-acts', { token: asAdmin.token })).status).toBe(200);
  await isTold(who, 'From now on you are an administrator');

  expect((await changeRole(by.token, who, 'student')).status).toBe(200);
  await isRefused(asAdmin.token, '/api/booking-acts');
  const { body: asked } = await platform.ask('POST', '/api/auth/login', { body: { email, password: market.password } });
  const code = { challengeId: asked.challenge.id, code: nextCode(asAdmin.secret) };
  const { accessToken } = (await platform.ask('POST', '/api/auth/login/challenge', { body: code })).body.tokens;
  expectProblem(await platform.ask('GET', '/api/booking-acts', { token: accessToken }), 403);
  expectProblem(await changeRole(by.token, by.person, 'student'), 409, 'last_admin');
});

test('a student becomes a tutor, keeps what they booked, can be booked and earns', async () => {
  const [who, other] = [await market.student(), await market.tutor({ instant: true })];
  const learned = await market.book({ student: who, tutor: other });
  const { accessToken: token, refreshToken } = await signIn(who);
  const reply = await platform.ask('POST', `/api/users/${who.id}/tutor-account`, { token });
  expect([200, 202]).toContain(reply.status);
  const becomes = async () => (await platform.ask('GET', '/api/auth/me', { token })).body.role === 'tutor';
  await eventually('they are a tutor', becomes);
  const { body } = await platform.ask('POST', '/api/auth/refresh', { body: { refreshToken } });
  const asTutor = String(body.tokens.accessToken);
  expect(decodeJwt(asTutor)).toMatchObject({ sub: who.id, role: 'tutor' });
  await isTold(who, 'From now on you are a tutor');

  const put = async (method: string, path: string, sent: object) =>
    expect((await platform.ask(method, path, { token: asTutor, body: sent })).status).toBeLessThan(300);
  await put('POST', '/api/tutors/profile', {
    ...{ headline: 'Patient with numbers', biography: 'Has learned it here.', subjects: ['Mathematics'] },
    ...{ languages: ['en'], timeZone: 'UTC', instantBooking: true },
  });
  await put('PUT', '/api/tutors/availability', { timeZone: 'UTC', weekly: ALWAYS, exceptions: [] });
  await put('PUT', '/api/tutors/pricing', { options: [{ kind: 'hourly', price: { amount: 4_500, currency: 'EUR' } }] });
  const student = await market.student();
  const tutor = { ...who, token: asTutor, instant: true };
  expect((await market.book({ student, tutor })).status).toBe(201);
  const account = await platform.ask('GET', '/api/payouts/account', { token: asTutor });
  expect(account.body.status).not.toBe('not_started');
  const wallet = await platform.ask('GET', '/api/wallet', { token: asTutor });
  expect(wallet).toMatchObject({ status: 200, body: { balances: [{ currency: 'EUR' }] } });
  // What they had as a student is theirs still: a session that they booked, and a customer whose cards they may look at.
  expect((await market.cancel(tutor, learned.body.id)).status).toBe(200);
  expect((await platform.ask('GET', '/api/payment-methods', { token: asTutor })).body).toEqual({ items: [] });
});

test('no history names anybody', async () => {
  const { troubles } = await workflowTroubles(platform, market.people);
  expect(troubles).toEqual([]);
});

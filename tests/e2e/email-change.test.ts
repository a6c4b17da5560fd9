import { workflowTroubles } from '../../dev/chaos/reconciliation';
import { createMarketplace, type Marketplace } from '../support/marketplace';
import { eventually, startTestPlatform, type TestPlatform } from '../support/platform';
import { expectProblem } from '../support/problems';
import { sweepNow } from '../support/sweep';

// Changes of an address, from the request to the mails and back, with everything running as it is installed.

jest.setTimeout(120_000);

let platform: TestPlatform;
let market: Marketplace;
beforeAll(async () => {
  platform = await startTestPlatform();
  market = createMarketplace(platform);
});
afterAll(() => platform?.stop());

const renewed = 'battery staple correct horse';
const CONFIRM = 'Please confirm your new e-mail address';
const ASKED = 'Somebody asks to change the e-mail address of your account';
const TAKE_BACK = 'Your account has another e-mail address';
const RESET = 'Reset your TutorConnect password';
const WELCOME = 'Welcome to TutorConnect: please confirm your e-mail address';

const login = (email: string, password = market.password) =>
  platform.ask('POST', '/api/auth/login', { body: { email, password } });
const send = (page: string, fields: Record<string, string>) =>
  platform.ask('POST', page, {
    raw: new URLSearchParams(fields).toString(),
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  });
const newAddress = () => `new-${Date.now()}-${Math.random().toString(36).slice(2)}@person.example`;

/** The text of the newest mail to somebody whose subject this is. */
async function mailTo(email: string, subject: string): Promise<string> {
  let text = '';
  await eventually(`the mail "${subject}" is there`, async () => {
    const mails = await platform.mails();
    text = mails.findLast((mail) => mail.subject === subject && mail.recipients.includes(email))?.text ?? '';
    return text !== '';
  });
  return text;
}

const subjectsTo = async (email: string) =>
  (await platform.mails()).filter(({ recipients }) => recipients.includes(email)).map(({ subject }) => subject);

/** The address in that mail. */
async function linkIn(subject: string, email: string): Promise<{ path: string; page: string; token: string }> {
  const url = new URL(/https?:\/\/\S+token=\S+/.exec(await mailTo(email, subject))?.[0] ?? '');
  return { path: `${url.pathname}${url.search}`, page: url.pathname, token: url.searchParams.get('token') ?? '' };
}

/** Somebody whose address is proven. */
async function proven() {
  const person = await market.student();
  const { token } = await linkIn(WELCOME, person.email);
  expect((await platform.ask('POST', '/api/auth/verify-email', { body: { token } })).status).toBe(204);
  return person;
}

/** Has another address asked for, and the link to it. */
async function asked({ id, token }: { id: string; token: string }, email = newAddress()) {
  const reply = await platform.ask('POST', `/api/users/${id}/change-email`, {
    token,
    body: { email, password: market.password },
  });
  expect(reply.status).toBe(202);
  return { requestId: String(reply.body.requestId), email, link: await linkIn(CONFIRM, email) };
}

test('a change is confirmed by a mail to the new address, and taken back by one to the address of before', async () => {
  const person = await proven();
  const { requestId, email: to, link } = await asked(person);
  expect(await mailTo(person.email, ASKED)).toContain('/api/auth/forgot');

  expect(await platform.ask('GET', link.path)).toMatchObject({
    status: 200,
    body: expect.stringContaining('<form method="post"'),
  });
  expect((await login(person.email)).status).toBe(200);
  expect(await send(link.page, { token: link.token })).toMatchObject({
    status: 200,
    body: expect.stringContaining('Your e-mail address is changed'),
  });
  expectProblem(await login(person.email), 401, 'invalid_credentials');
  const thief = (await login(to)).body.tokens;
  expect((await platform.ask('GET', '/api/auth/me', { token: thief.accessToken })).body).toMatchObject({
    ...{ id: person.id, email: to, emailVerified: true },
  });

  expect((await platform.ask('POST', '/api/auth/forgot-password', { body: { email: to } })).status).toBe(202);
  const reset = await linkIn(RESET, to);
  expect(await subjectsTo(person.email)).not.toContain(RESET);
  const taken = { email: person.email, password: market.password, role: 'student', firstName: 'Eve', lastName: 'X' };
  expectProblem(await platform.ask('POST', '/api/auth/register', { body: taken }), 409, 'email_taken');

  const back = await linkIn(TAKE_BACK, person.email);
  expect((await platform.ask('GET', back.path)).status).toBe(200);
  expect(await send(back.page, { token: back.token })).toMatchObject({
    status: 200,
    body: expect.stringContaining('has its address again'),
  });
  for (const path of ['/api/auth/me', '/api/bookings'])
    await eventually(`${path} refuses the thief`, async () =>
      [401].includes((await platform.ask('GET', path, { token: thief.accessToken })).status),
    );
  expectProblem(
    await platform.ask('POST', '/api/auth/refresh', { body: { refreshToken: thief.refreshToken } }),
    401,
    'invalid_refresh_token',
  );
  for (const email of [to, person.email]) expectProblem(await login(email), 401, 'invalid_credentials');
  const spent = { token: reset.token, password: renewed };
  expectProblem(await platform.ask('POST', '/api/auth/reset-password', { body: spent }), 400, 'invalid_token');

  const again = await linkIn(RESET, person.email);
  expect((await subjectsTo(to)).filter((subject) => subject === RESET)).toHaveLength(1);
  expect(await send(again.page, { token: again.token, password: renewed })).toMatchObject({ status: 200 });
  expect((await login(person.email, renewed)).body.user).toMatchObject({ id: person.id, email: person.email });
  const handle = platform.temporal.workflow.getHandle(`email-change:${requestId}`);
  expect(await handle.result()).toEqual({ outcome: 'reverted' });
  const [contact] = await platform.database('notification')`
    select email, changed_by from contacts where user_id = ${person.id}`;
  expect(contact).toEqual({ email: person.email, changed_by: null });
});

test('whose address registers meanwhile keeps the one that they have, and is told so there', async () => {
  const person = await proven();
  const { email, link } = await asked(person);
  const body = { email, password: market.password, role: 'student', firstName: 'Ada', lastName: 'King' };
  expect((await platform.ask('POST', '/api/auth/register', { body })).status).toBe(201);
  expect(await send(link.page, { token: link.token })).toMatchObject({
    status: 409,
    body: expect.stringContaining('Somebody has an account with this address by now'),
  });
  await mailTo(person.email, 'Your e-mail address was not changed');
  expect((await login(person.email)).body.user).toMatchObject({ id: person.id });
  expect((await login(email)).body.user.id).not.toBe(person.id);
});

test('a link that is used while Temporal is away changes the address once that is back', async () => {
  const person = await proven();
  const { email, link, requestId } = await asked(person);
  await platform.without('temporal', async () => {
    const reply = await platform.ask('POST', '/api/auth/email-change/confirm', { body: { token: link.token } });
    expect(reply.status).toBe(202);
  });
  await platform.database('identity')`
    update email_changes set status_at = status_at - interval '21 seconds' where id = ${requestId}`;
  await sweepNow(platform);
  await eventually('the address is changed', async () => (await login(email)).status === 200);
});

test('no history names an address or holds a token', async () => {
  const mails = await platform.mails();
  const tokens = mails.flatMap(({ text }) => /token=(\S+)/.exec(text ?? '')?.[1] ?? []);
  const addresses = mails.flatMap(({ recipients }) => recipients);
  const words = [...new Set([...tokens, ...addresses])].map((word) => ({
    ...{ email: word, firstName: word, lastName: word },
  }));
  expect(words.length).toBeGreaterThan(10);
  const { troubles, workflows } = await workflowTroubles(platform, [...market.people, ...words]);
  expect(troubles).toEqual([]);
  expect(workflows).toBeGreaterThan(5);
});

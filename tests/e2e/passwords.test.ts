import { workflowTroubles } from '../../dev/chaos/reconciliation';
import { createMarketplace, type Marketplace } from '../support/marketplace';
import { eventually, startTestPlatform, type TestPlatform } from '../support/platform';
import { expectProblem } from '../support/problems';

// Forgotten passwords, from the request to the mail and back, with everything running as it is installed.

jest.setTimeout(120_000);

let platform: TestPlatform;
let market: Marketplace;
beforeAll(async () => {
  platform = await startTestPlatform({ RATE_LIMIT_RESET_ADDRESS: '10' });
  market = createMarketplace(platform);
});
afterAll(() => platform?.stop());

const renewed = 'battery staple correct horse';
const login = (email: string, password: string) =>
  platform.ask('POST', '/api/auth/login', { body: { email, password } });
const send = (page: string, fields: Record<string, string>) =>
  platform.ask('POST', page, {
    raw: new URLSearchParams(fields).toString(),
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  });

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

/** The address in that mail, as a path. */
async function linkIn(subject: string, email: string): Promise<URL> {
  return new URL(/https?:\/\/\S+token=\S+/.exec(await mailTo(email, subject))?.[0] ?? '');
}

test('who forgot a password has a link sent, sets another one there, and nobody is signed in by the old one', async () => {
  const { id, email, token: signedIn } = await market.student();
  expect((await platform.ask('GET', '/api/bookings', { token: signedIn })).status).toBe(200);
  const { refreshToken } = (await login(email, market.password)).body.tokens;

  expect(await send('/api/auth/forgot', { email })).toMatchObject({ status: 202 });
  const { pathname, search, searchParams } = await linkIn('Reset your TutorConnect password', email);
  const page = await platform.ask('GET', `${pathname}${search}`);
  expect(page).toMatchObject({ status: 200, body: expect.stringContaining('<form method="post"') });
  expect((await login(email, market.password)).status).toBe(200);
  const token = searchParams.get('token') ?? '';
  expect(await send(pathname, { token, password: renewed })).toMatchObject({ status: 200 });

  expectProblem(await login(email, market.password), 401, 'invalid_credentials');
  expectProblem(await platform.ask('POST', '/api/auth/refresh', { body: { refreshToken } }), 401);
  for (const path of ['/api/auth/me', '/api/bookings']) {
    const isRefused = async () => (await platform.ask('GET', path, { token: signedIn })).status === 401;
    await eventually(`${path} refuses the session of before`, isRefused);
  }
  expect(await mailTo(email, 'Your TutorConnect password was changed')).toContain('/api/auth/forgot');
  const again = await login(email, renewed);
  expect(again).toMatchObject({ status: 200, body: { user: { id, emailVerified: true } } });
  expect((await platform.ask('GET', '/api/bookings', { token: again.body.tokens.accessToken })).status).toBe(200);
});

test('of an address that nobody has there is a saga as well, which sends nothing, and no history names anybody', async () => {
  const { email } = await market.student();
  const nobody = `nobody-${Date.now()}@person.example`;
  const replies = [];
  for (const asked of [email, nobody])
    replies.push(await platform.ask('POST', '/api/auth/forgot-password', { body: { email: asked } }));
  expect(replies.map(({ status, body }) => ({ status, body }))).toEqual(Array(2).fill({ status: 202, body: {} }));
  const sent = await linkIn('Reset your TutorConnect password', email);

  const [row] = await platform.database('identity')`select id, user_id from account_mails order by id desc limit 1`;
  expect(row?.user_id).toBeNull();
  const handle = platform.temporal.workflow.getHandle(`account-mail:${row?.id}`);
  expect(await handle.result()).toEqual({ outcome: 'nothing' });
  expect((await platform.mails()).filter(({ recipients }) => recipients.includes(nobody))).toEqual([]);
  // No word of these is in any history: addresses and names, and the token of the link.
  const words = [nobody, sent.searchParams.get('token') ?? ''].map((word) => ({
    email: word,
    firstName: word,
    lastName: word,
  }));
  const { troubles, workflows } = await workflowTroubles(platform, [...market.people, ...words]);
  expect(troubles).toEqual([]);
  expect(workflows).toBeGreaterThan(2);
});

test('another link that proves an address works in place of the one of the welcome', async () => {
  const { email, token } = await market.student();
  const first = await linkIn('Welcome to TutorConnect: please confirm your e-mail address', email);
  expect((await platform.ask('POST', '/api/auth/verify-email/resend', { token })).status).toBe(204);
  const second = await linkIn('Please confirm your e-mail address', email);
  const prove = ({ searchParams }: URL) =>
    platform.ask('POST', '/api/auth/verify-email', { body: { token: searchParams.get('token') } });
  expectProblem(await prove(first), 400, 'invalid_token');
  expect((await prove(second)).status).toBe(204);
  expect((await platform.ask('GET', '/api/auth/me', { token })).body).toMatchObject({ emailVerified: true });
});

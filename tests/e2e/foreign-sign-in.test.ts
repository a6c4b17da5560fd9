import { createHash, randomBytes } from 'node:crypto';
import { somebodyAt } from '../support/foreign-sign-in';
import { startOidcProvider, type TestProvider } from '../support/oidc-provider';
import { eventually, startTestPlatform, type TestPlatform } from '../support/platform';
import { freePort } from '../support/ports';
import { uniqueEmail } from '../support/users';

// A first sign-in at a provider, from an app's button to an account that is told of everywhere, with everything running as it is installed.

jest.setTimeout(120_000);

const APP = 'https://app.example/back';

let provider: TestProvider;
let platform: TestPlatform;
beforeAll(async () => {
  const port = await freePort();
  const publicUrl = `http://127.0.0.1:${port}`;
  provider = await startOidcProvider(`${publicUrl}/api/auth/oidc/callback`, { tells: 'userinfo' });
  platform = await startTestPlatform({
    ...{ GATEWAY_PORT: String(port), PUBLIC_URL: publicUrl, OIDC_PROVIDERS: 'campus', OIDC_REDIRECT_URIS: APP },
    ...{ ...provider.settings('campus'), OIDC_CAMPUS_NAME: 'The Campus' },
  });
});
afterAll(async () => {
  await platform?.stop();
  await provider?.close();
});

const sha256 = (text: string) => createHash('sha256').update(text).digest('base64url');
const post = (path: string, body: object, token?: string) =>
  platform.ask('POST', path, { body, ...(token !== undefined && { token }) });

/** All that an app and its browser do. */
async function signIn(subject: string, path = '/api/auth/oidc/campus', token?: string) {
  const verifier = randomBytes(32).toString('base64url');
  const wishes = token === undefined ? { role: 'tutor' } : {};
  const started = await post(`${path}/start`, { redirectUri: APP, verifierHash: sha256(verifier), ...wishes }, token);
  expect(started).toMatchObject({ status: 200 });
  const { authorizationUrl, transactionId } = started.body;
  const { pathname, search } = await provider.authorize(authorizationUrl, subject);
  const { headers } = await platform.ask('GET', `${pathname}${search}`);
  return post(`${path}/finish`, { transactionId, verifier, callbackUrl: String(headers.location) }, token);
}
const mailTo = async (email: string, subject: string) => {
  let text = '';
  await eventually(`the mail "${subject}" is there`, async () => {
    text =
      (await platform.mails()).find((mail) => mail.subject === subject && mail.recipients.includes(email))?.text ?? '';
    return text !== '';
  });
  return text;
};

test('somebody new has an account by the saga of sign-ups, is welcomed, and links nothing that is not theirs', async () => {
  const claims = { email: uniqueEmail(), email_verified: true, given_name: 'Grace', family_name: 'Hopper' };
  const subject = somebodyAt(provider, claims);
  const first = await signIn(subject);
  expect(first).toMatchObject({
    status: 201,
    body: { user: { email: claims.email, role: 'tutor', emailVerified: true } },
  });
  const { user, tokens } = first.body;
  const saga = platform.temporal.workflow.getHandle(`user:${user.id}`);
  expect(await saga.result()).toEqual({ outcome: 'active', reason: 'activated' });
  const history = JSON.stringify(await saga.fetchHistory());
  for (const personal of [claims.email, 'Grace', 'Hopper', subject]) expect(history).not.toContain(personal);
  expect(await mailTo(claims.email, 'Welcome to TutorConnect')).toContain('Your account is ready');
  const profile = await platform.ask('GET', '/api/payouts/account', { token: tokens.accessToken });
  expect(profile.status).toBe(200);
  expect(await signIn(subject)).toMatchObject({ status: 200, body: { user: { id: user.id } } });

  const other = await post('/api/auth/register', {
    ...{ email: uniqueEmail(), password: 'correct horse battery', role: 'student', firstName: 'Ada', lastName: 'L' },
  });
  const ada = other.body.tokens.accessToken;
  expect(await signIn(subject, '/api/auth/identities/campus', ada)).toMatchObject({ status: 409 });
  const own = somebodyAt(provider, { email: uniqueEmail(), email_verified: true });
  expect(await signIn(own, '/api/auth/identities/campus', ada)).toMatchObject({ status: 200 });
  await mailTo(other.body.user.email, 'You can sign in to TutorConnect with The Campus');
  expect(await signIn(own)).toMatchObject({ status: 200, body: { user: { id: other.body.user.id } } });
});

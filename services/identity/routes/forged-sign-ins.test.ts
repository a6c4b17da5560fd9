import { expectProblem } from '../../../tests/support/accounts';
import { APP, newcomer, startForeignSignIn } from '../../../tests/support/foreign-sign-in';
import { type Forgery, startForgingProvider } from '../../../tests/support/forging-provider';
import { freePort } from '../../../tests/support/ports';

// What a provider, or somebody in its place, may answer that is not to be believed.

let forger: Awaited<ReturnType<typeof startForgingProvider>>;
let awayPort: number;
let at: Awaited<ReturnType<typeof startForeignSignIn>>;

beforeAll(async () => {
  forger = await startForgingProvider('tutorconnect');
  awayPort = await freePort();
  const settings = (id: string, issuer: string) => ({
    [`OIDC_${id}_ISSUER`]: issuer,
    ...{ [`OIDC_${id}_CLIENT_ID`]: 'tutorconnect', [`OIDC_${id}_CLIENT_SECRET`]: 'secret' },
  });
  at = await startForeignSignIn({
    forger: settings('FORGER', forger.issuer),
    away: settings('AWAY', `http://127.0.0.1:${awayPort}`),
  });
});
beforeEach(() => forger.will({}));
afterEach(() => at.accounts.settle());
afterAll(async () => {
  await at.accounts.close();
  await forger.close();
});

const person = newcomer();
const seconds = (ago: number) => Math.floor(Date.now() / 1_000) - ago;

/** A sign-in whose provider does so. */
async function signInAs(forgery: Forgery, more: Record<string, string> = {}) {
  const begun = await at.begin('forger');
  forger.will(forgery);
  return at.finish(begun, `${APP}?${forger.answer(begun.authorizationUrl, more)}`);
}

test('what is right is believed: the forgeries below differ from it by one thing each', async () => {
  expect(await signInAs({ claims: person })).toMatchObject({ status: 201 });
});

test.each<[string, Forgery & { answers?: Record<string, string> }]>([
  ['an id token without a signature', { signed: 'none' }],
  ['one that somebody else has signed', { signed: 'stranger' }],
  ['one for another client', { claims: { aud: 'somebody-else' } }],
  ['one of another issuer', { claims: { iss: 'https://accounts.google.com' } }],
  ['one for another sign-in', { claims: { nonce: 'another' } }],
  ['one for no sign-in', { claims: { nonce: undefined } }],
  ['one that has expired', { claims: { exp: seconds(60) } }],
  ['one that was made more than five minutes ago', { claims: { iat: seconds(301) } }],
  ['one of nobody', { claims: { sub: undefined } }],
  ['an answer to another state', { answers: { state: 'another' } }],
  ['an answer of another issuer', { answers: { iss: 'https://accounts.google.com' } }],
  ['a code that it does not know', { refuses: { status: 400, body: '{"error":"invalid_grant"}' } }],
  ['more of somebody else', { claims: { email: undefined }, userinfo: { sub: 'another' } }],
])('%s opens nothing', async (_, { claims, answers, ...forgery }) => {
  expectProblem(await signInAs({ ...forgery, claims: { ...person, ...claims } }, answers), 400, 'invalid_token');
});

test.each<[string, Forgery]>([
  ['which is down', { refuses: { status: 502, body: '<html>' } }],
  ['which says that something is wrong there', { refuses: { status: 400, body: '{"error":"server_error"}' } }],
  ['which does not know the platform', { refuses: { status: 401, body: '{"error":"invalid_client"}' } }],
  ['which says five megabytes', { claims: { email: undefined }, userinfo: 'x'.repeat(5_000_000) }],
  ['which hangs', { hangs: true }],
])('a provider %s is away, and the person may try again', async (_, { claims, ...forgery }) => {
  const reply = await signInAs({ ...forgery, claims: { ...person, ...claims } });
  expectProblem(reply, 503, 'upstream_unavailable');
  expect(JSON.stringify(reply.body)).not.toContain(person.email);
});

test('a provider that does not answer keeps nobody from signing in elsewhere, and is asked again', async () => {
  const start = (provider: string) =>
    at.post(`/api/auth/oidc/${provider}/start`, { redirectUri: APP, verifierHash: 'x'.repeat(43) });
  expectProblem(await start('away'), 503, 'upstream_unavailable');
  expect(await start('forger')).toMatchObject({ status: 200 });
  const back = await startForgingProvider('tutorconnect', awayPort);
  expect(await start('away')).toMatchObject({ status: 200 });
  await back.close();
});

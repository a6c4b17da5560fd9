import { ConfigError, loadConfig } from './config';
import { isRedirectUri } from './oidc-settings';

const google = {
  OIDC_PROVIDERS: 'google',
  OIDC_GOOGLE_ISSUER: 'https://accounts.google.com',
  OIDC_GOOGLE_CLIENT_ID: 'tutorconnect',
  OIDC_GOOGLE_CLIENT_SECRET: 'what-only-google-knows',
};
const uni = {
  ...{ OIDC_GRAZ_ISSUER: 'http://127.0.0.1:4444/realms/uni', OIDC_GRAZ_CLIENT_ID: 'tc' },
  ...{ OIDC_GRAZ_CLIENT_SECRET: 'secret', OIDC_GRAZ_NAME: 'University of Graz' },
};
const load = (settings: Record<string, string>) =>
  loadConfig(
    {
      SERVICE_TOKEN_SECRET: 'only-for-tests-only-for-tests-only-for-tests',
      OIDC_REDIRECT_URIS: 'https://app.example/back',
      ...settings,
    },
    'no-env-file-in-tests',
  );
function refusal(settings: Record<string, string>): string {
  try {
    load(settings);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error('it was taken');
}

test('without any provider nobody signs in elsewhere', () => {
  expect(load({ OIDC_REDIRECT_URIS: '' }).oidcProviders).toEqual([]);
});

test('each provider has its settings, and the name that people read', () => {
  expect(load({ ...google, ...uni, OIDC_PROVIDERS: 'google, graz' }).oidcProviders).toEqual([
    {
      ...{ id: 'google', name: 'google', issuer: google.OIDC_GOOGLE_ISSUER },
      ...{ clientId: 'tutorconnect', clientSecret: google.OIDC_GOOGLE_CLIENT_SECRET },
    },
    {
      ...{ id: 'graz', name: 'University of Graz', issuer: uni.OIDC_GRAZ_ISSUER },
      ...{ clientId: 'tc', clientSecret: 'secret' },
    },
  ]);
});

test('a process beside identity need not know the secret', () => {
  expect(load({ ...google, OIDC_GOOGLE_CLIENT_SECRET: '' }).oidcProviders).toMatchObject([{ clientSecret: undefined }]);
});

test.each([
  ['no client id', { ...google, OIDC_GOOGLE_CLIENT_ID: '' }, 'OIDC_GOOGLE_CLIENT_ID is missing'],
  ['no issuer', { ...google, OIDC_GOOGLE_ISSUER: '' }, 'OIDC_GOOGLE_ISSUER is missing'],
  ['an issuer by plain http', { ...google, OIDC_GOOGLE_ISSUER: 'http://idp.example' }, 'OIDC_GOOGLE_ISSUER must be'],
  ['an issuer with a query', { ...google, OIDC_GOOGLE_ISSUER: 'https://idp.example/?a=b' }, 'OIDC_GOOGLE_ISSUER must'],
  ['no URL', { ...google, OIDC_GOOGLE_ISSUER: 'google' }, 'OIDC_GOOGLE_ISSUER must be'],
  ['settings of a provider that is not named', { ...google, ...uni }, 'OIDC_GRAZ_ISSUER is of no provider'],
  ['a provider named twice', { ...google, OIDC_PROVIDERS: 'google,google' }, 'OIDC_PROVIDERS must name each'],
  ['a name that is none', { ...google, OIDC_PROVIDERS: 'Google!' }, 'OIDC_PROVIDERS must be names'],
  ['nowhere to go back to', { ...google, OIDC_REDIRECT_URIS: '' }, 'OIDC_REDIRECT_URIS is missing'],
  ['an app by plain http', { OIDC_REDIRECT_URIS: 'http://app.example/' }, 'OIDC_REDIRECT_URIS must be'],
])('%s is refused, by name', (_, settings, sentence) => {
  const message = refusal(settings);
  expect(message).toContain(sentence);
  expect(message).not.toContain(google.OIDC_GOOGLE_CLIENT_SECRET);
});

test.each([
  ['https://app.example/back', true],
  ['http://localhost:5173/back', true],
  ['http://127.0.0.1/back', true],
  ['com.example.tutor:/back', true],
  ['http://app.example/back', false],
  ['https://app.example/back?next=elsewhere', false],
  ['https://app.example/back#part', false],
  ['https://app.example/back?', false],
  ['javascript:alert(1)', false],
  ['data:text/html,hello', false],
  ['/back', false],
])('an app may be at %s: %s', (uri, may) => {
  expect(isRedirectUri(uri)).toBe(may);
});

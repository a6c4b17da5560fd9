import { createHash, randomBytes } from 'node:crypto';
import { NO_LIMITS } from '../../dev/stack/own-platform';
import { type Accounts, startAccounts } from './accounts';
import type { TestProvider } from './oidc-provider';
import { uniqueEmail } from './users';

// identity with providers at whose place people sign in, and the app that they come from.

const PUBLIC_URL = 'https://tutorconnect.example';
export const APP = 'https://app.example/back';
/** An app on a telephone. */
export const PHONE = 'com.example.tutor:/back';
/** Where every provider sends people back to. */
export const CALLBACK = `${PUBLIC_URL}/api/auth/oidc/callback`;

/** A sign-in as its app knows it. */
export interface Begun {
  provider: string;
  verifier: string;
  transactionId: string;
  authorizationUrl: string;
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('base64url');

/** identity with these providers, by their settings. */
export async function startForeignSignIn(providers: Readonly<Record<string, Record<string, string>>>) {
  const accounts: Accounts = await startAccounts({
    ...NO_LIMITS,
    PUBLIC_URL,
    OIDC_PROVIDERS: Object.keys(providers).join(','),
    OIDC_REDIRECT_URIS: `${APP},${PHONE}`,
    ...Object.assign({}, ...Object.values(providers)),
  });
  const post = (path: string, body: object, token?: string) =>
    accounts.service.ask('POST', path, { body, ...(token !== undefined && { token }) });

  async function beginAt(path: string, provider: string, body: object, token?: string): Promise<Begun> {
    const verifier = randomBytes(32).toString('base64url');
    const reply = await post(path, { redirectUri: APP, verifierHash: sha256(verifier), ...body }, token);
    expect(reply).toMatchObject({ status: 200 });
    const { transactionId, authorizationUrl } = reply.body;
    return { provider, verifier, transactionId, authorizationUrl };
  }
  const finishAt = (path: string, { transactionId, verifier }: Begun, callbackUrl: string, token?: string) =>
    post(path, { transactionId, verifier, callbackUrl }, token);

  return {
    accounts,
    post,
    /** Begins a sign-in. */
    begin: (provider: string, wishes: object = { role: 'student' }) =>
      beginAt(`/api/auth/oidc/${provider}/start`, provider, wishes),
    /** Begins to link. */
    beginLink: (provider: string, token: string) =>
      beginAt(`/api/auth/identities/${provider}/start`, provider, {}, token),
    /** Brings a person to the provider and back, by way of identity's page. @returns where the app is called back */
    async visit(at: TestProvider, { authorizationUrl }: Begun, subject: string): Promise<string> {
      const { pathname, search } = await at.authorize(authorizationUrl, subject);
      const { status, headers } = await accounts.service.ask('GET', `${pathname}${search}`);
      expect(status).toBe(303);
      return String(headers.location);
    },
    finish: (begun: Begun, callbackUrl: string) =>
      finishAt(`/api/auth/oidc/${begun.provider}/finish`, begun, callbackUrl),
    complete: ({ provider, transactionId, verifier }: Begun, said: object) =>
      post(`/api/auth/oidc/${provider}/complete`, { transactionId, verifier, ...said }),
    finishLink: (begun: Begun, callbackUrl: string, token: string) =>
      finishAt(`/api/auth/identities/${begun.provider}/finish`, begun, callbackUrl, token),
    identitiesOf: async (token: string) =>
      (await accounts.service.ask('GET', '/api/auth/identities', { token })).body.items as {
        id: string;
        provider: string;
        email: string | null;
      }[],
    unlink: (id: string, token: string) => accounts.service.ask('DELETE', `/api/auth/identities/${id}`, { token }),
  };
}

let counted = 0;

/** Somebody whom a provider knows, by what it says of them. @returns their subject */
export function somebodyAt({ people }: TestProvider, claims: object = newcomer()): string {
  const subject = `subject-${++counted}`;
  people.set(subject, claims);
  return subject;
}

/** What a provider says of somebody whom nobody here knows. */
export function newcomer(change: object = {}) {
  return { email: uniqueEmail(), email_verified: true, given_name: 'Grace', family_name: 'Hopper', ...change };
}

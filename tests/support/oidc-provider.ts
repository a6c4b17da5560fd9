import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair } from 'jose';
import Provider, { type AdapterPayload } from 'oidc-provider';
import { request } from 'undici';
import { uuidv7 } from '../../platform/ids';

// OpenID providers of tests: real ones, with people of the test's choice.

const CLIENT = { id: 'tutorconnect', secret: uuidv7() };

/** What a provider keeps, for as long as it runs. */
class Kept {
  private static readonly all = new Map<string, AdapterPayload>();
  constructor(private readonly kind: string) {}
  private keyOf = (id: string) => `${this.kind} ${id}`;
  private byMember = (name: 'uid' | 'userCode', value: string) =>
    [...Kept.all].find(([key, kept]) => key.startsWith(`${this.kind} `) && kept[name] === value)?.[1];

  async upsert(id: string, payload: AdapterPayload) {
    Kept.all.set(this.keyOf(id), payload);
  }
  find = async (id: string) => Kept.all.get(this.keyOf(id));
  findByUid = async (uid: string) => this.byMember('uid', uid);
  findByUserCode = async (code: string) => this.byMember('userCode', code);
  async consume(id: string) {
    const kept = Kept.all.get(this.keyOf(id));
    if (kept) kept.consumed = Math.floor(Date.now() / 1_000);
  }
  async destroy(id: string) {
    Kept.all.delete(this.keyOf(id));
  }
  async revokeByGrantId(grantId: string) {
    for (const [key, { grantId: of }] of Kept.all) if (of === grantId) Kept.all.delete(key);
  }
}

export interface TestProvider {
  issuer: string;
  /** What the settings say of it. */
  settings(id: string): Record<string, string>;
  /** What it says of a person, by their subject. */
  people: Map<string, object>;
  /** Signs a person in whom a browser brings to `authorizationUrl`. @returns where it sends the browser back to */
  authorize(authorizationUrl: string, subject: string): Promise<URL>;
  close(): Promise<void>;
}

/**
 * Starts a provider that knows `redirectUri` as its client's. It tells of people in its id tokens, or with `tells: 'userinfo'` only when it is asked
 * once more, as most do.
 */
export async function startOidcProvider(
  redirectUri: string,
  { tells = 'id_token' }: { tells?: 'id_token' | 'userinfo' } = {},
): Promise<TestProvider> {
  const people = new Map<string, object>();
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  const provider = new Provider(issuer, {
    jwks: { keys: [{ ...(await exportJWK(privateKey)), kid: uuidv7(), alg: 'RS256', use: 'sig' }] },
    adapter: Kept,
    clients: [{ client_id: CLIENT.id, client_secret: CLIENT.secret, redirect_uris: [redirectUri] }],
    pkce: { required: () => true },
    cookies: { keys: [uuidv7()] },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['given_name', 'family_name', 'name'] },
    conformIdTokenClaims: tells === 'userinfo',
    findAccount: (_, accountId) => ({ accountId, claims: () => ({ ...people.get(accountId), sub: accountId }) }),
    // Whoever signs in here lets the platform know.
    async loadExistingGrant({ oidc }) {
      const grant = new oidc.provider.Grant({ clientId: CLIENT.id, accountId: oidc.session?.accountId });
      grant.addOIDCScope('openid email profile');
      await grant.save();
      return grant;
    },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_, { uid }) => `/sign-in/${uid}` },
    ttl: { Session: 60, Interaction: 60, Grant: 60, AccessToken: 60, IdToken: 60, AuthorizationCode: 60 },
  });
  const answer = provider.callback();
  server.on('request', (incoming, outgoing) => {
    if (!incoming.url?.startsWith('/sign-in/')) return void answer(incoming, outgoing);
    const login = { accountId: String(incoming.headers['x-person']) };
    void provider.interactionFinished(incoming, outgoing, { login });
  });

  return {
    issuer,
    people,
    settings(id) {
      const prefix = `OIDC_${id.toUpperCase()}`;
      return {
        [`${prefix}_ISSUER`]: issuer,
        [`${prefix}_CLIENT_ID`]: CLIENT.id,
        [`${prefix}_CLIENT_SECRET`]: CLIENT.secret,
      };
    },
    async authorize(authorizationUrl, subject) {
      const cookies = new Map<string, string>();
      let url = new URL(authorizationUrl);
      while (!url.href.startsWith(redirectUri)) {
        const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
        const { statusCode, headers, body } = await request(url, { headers: { cookie, 'x-person': subject } });
        const text = await body.text();
        for (const set of [headers['set-cookie'] ?? []].flat()) {
          const [name = '', value = ''] = (set.split(';')[0] ?? '').split('=');
          cookies.set(name, value);
        }
        if (typeof headers.location !== 'string') throw new Error(`the provider answers ${statusCode}: ${text}`);
        url = new URL(headers.location, url);
      }
      return url;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { decodeJwt, decodeProtectedHeader, exportJWK, generateKeyPair, SignJWT } from 'jose';
import { signingKeys } from '../../../db/schema/identity';
import { TOKEN_ALGORITHM, TOKEN_AUDIENCE, TOKEN_ISSUER, userVerifier } from '../../../platform/auth';
import { uuidv7 } from '../../../platform/ids';
import { type Accounts, expectProblem, startAccounts } from '../../../tests/support/accounts';

let accounts: Accounts;

beforeAll(async () => {
  accounts = await startAccounts();
});

afterEach(() => accounts.settle());

afterAll(() => accounts.close());

describe('access tokens', () => {
  const claims = () => ({ role: 'student', sid: uuidv7() });
  const jws = (header: object, payload: object, signature: Buffer) =>
    [Buffer.from(JSON.stringify(header)), Buffer.from(JSON.stringify(payload)), signature]
      .map((part) => part.toString('base64url'))
      .join('.');

  test('other services verify them by the published keys', async () => {
    const { accessToken, user } = await accounts.signUp();
    expect(await userVerifier(accounts.service.url)(accessToken)).toMatchObject({ id: user.id, role: 'student' });
    const jwks = await accounts.service.ask('GET', '/api/auth/.well-known/jwks.json');
    expect(jwks.headers['cache-control']).toBe('public, max-age=300');
    expect(jwks.body.keys).toMatchObject([{ kid: decodeProtectedHeader(accessToken).kid, alg: 'ES256', use: 'sig' }]);
    expect(JSON.stringify(jwks.body)).not.toContain('"d"');
  });

  test('none, a foreign key, a borrowed key id, another algorithm and a changed payload are refused', async () => {
    const { accessToken, user } = await accounts.signUp();
    const [header = '', payload = '', signature = ''] = accessToken.split('.');
    const real = decodeJwt(accessToken);
    const kid = decodeProtectedHeader(accessToken).kid;
    const foreign = await generateKeyPair(TOKEN_ALGORITHM);
    const signed = (head: { alg: string; kid?: string | undefined; jwk?: object; jku?: string }) =>
      new SignJWT(real).setProtectedHeader(head).sign(foreign.privateKey);
    const promoted = Buffer.from(JSON.stringify({ ...real, role: 'admin' })).toString('base64url');
    const published = (await accounts.service.ask('GET', '/api/auth/.well-known/jwks.json')).body.keys[0];
    const attempts = [
      jws({ alg: 'none', kid }, real, Buffer.alloc(0)),
      jws({ alg: 'NONE' }, real, Buffer.alloc(0)),
      await signed({ alg: TOKEN_ALGORITHM, kid }),
      await signed({ alg: TOKEN_ALGORITHM, kid: 'unknown' }),
      await signed({ alg: TOKEN_ALGORITHM }),
      await signed({ alg: TOKEN_ALGORITHM, jwk: await exportJWK(foreign.publicKey) }),
      await signed({ alg: TOKEN_ALGORITHM, kid, jku: 'https://evil.example/jwks.json' }),
      await new SignJWT(real)
        .setProtectedHeader({ alg: 'HS256', kid: String(kid) })
        .sign(Buffer.from(JSON.stringify(published))),
      `${header}.${promoted}.${signature}`,
      `${header}.${payload}.`,
      `${header}.${payload}`,
      'x',
    ];
    for (const token of attempts) expectProblem(await accounts.me(token), 401, 'unauthenticated');
    expect((await accounts.me(accessToken)).body.id).toBe(user.id);
  });

  test('expired, for another audience, by another issuer, without expiry or with claims of no use: refused', async () => {
    const { accessToken, user } = await accounts.signUp();
    const { sid } = decodeJwt(accessToken);
    const { kid, key } = await ownKey();
    const make = (change: (token: SignJWT) => SignJWT, own: object = { role: 'student', sid }) =>
      change(
        new SignJWT({ ...own })
          .setProtectedHeader({ alg: TOKEN_ALGORITHM, kid })
          .setSubject(user.id)
          .setIssuer(TOKEN_ISSUER)
          .setAudience(TOKEN_AUDIENCE)
          .setExpirationTime('15m'),
      ).sign(key);
    expect((await accounts.me(await make((token) => token))).status).toBe(200); // the key itself is good
    const attempts = [
      make((token) => token.setExpirationTime(Math.floor(Date.now() / 1_000) - 1)),
      make((token) => token.setAudience('tutorconnect-internal')),
      make((token) => token.setIssuer('someone')),
      make((token) => token.setNotBefore('1h')),
      make((token) => token.setSubject('1')),
      make((token) => token.setSubject(uuidv7())),
      make((token) => token, { role: 'root', sid }),
      make((token) => token, { role: 'student' }),
      make((token) => token, claims()),
      new SignJWT({ role: 'student', sid })
        .setProtectedHeader({ alg: TOKEN_ALGORITHM, kid })
        .setSubject(user.id)
        .setIssuer(TOKEN_ISSUER)
        .setAudience(TOKEN_AUDIENCE)
        .sign(key),
    ];
    for (const token of attempts) expectProblem(await accounts.me(await token), 401, 'unauthenticated');
  });

  test('no token, a service token and another scheme are refused', async () => {
    expectProblem(await accounts.service.ask('GET', '/api/auth/me'), 401, 'unauthenticated');
    expectProblem(await accounts.service.internal('GET', '/api/auth/me'), 401, 'unauthenticated');
    const { accessToken } = await accounts.signUp();
    const basic = await accounts.service.ask('GET', '/api/auth/me', {
      headers: { authorization: `Basic ${accessToken}` },
    });
    expectProblem(basic, 401, 'unauthenticated');
  });

  /** Plants a key pair of the test's own among the published ones, to sign what identity never would. */
  async function ownKey(): Promise<{ kid: string; key: KeyObject }> {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const { x, y } = publicKey.export({ format: 'jwk' });
    const kid = `test-${uuidv7()}`;
    await accounts.service.database.db.insert(signingKeys).values({
      kid,
      publicJwk: { kty: 'EC', crv: 'P-256', x: String(x), y: String(y) },
      privateJwk: { iv: '', ciphertext: '', tag: '' },
    });
    const clock = jest.spyOn(Date, 'now').mockReturnValue(Date.now() + 61_000);
    try {
      await accounts.me('a.b.c'); // has the keys read again, as after a minute
    } finally {
      clock.mockRestore();
    }
    return { kid, key: privateKey };
  }
});

import { createServer, type Server } from 'node:http';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { bearerToken, serviceTokens, TOKEN_AUDIENCE, TOKEN_ISSUER, userVerifier, type VerifyUser } from './auth';
import { uuidv7 } from './ids';

type Keys = Awaited<ReturnType<typeof generateKeyPair>>;
const user = { id: uuidv7(), role: 'tutor', sessionId: uuidv7(), amr: ['hwk', 'user'] };
const DOUBT = { code: 'upstream_unavailable' };
const NO = { code: 'unauthenticated' };

let keys: Keys;
let strangers: Keys;
let published: unknown;
let answer = 200;
let server: Server;
let url: string;
let verify: VerifyUser;

beforeAll(async () => {
  keys = await generateKeyPair('ES256');
  strangers = await generateKeyPair('ES256');
  published = { keys: [{ ...(await exportJWK(keys.publicKey)), kid: 'k1', alg: 'ES256', use: 'sig' }] };
  server = createServer((_, response) => {
    response.writeHead(answer, { 'content-type': 'application/json' }).end(JSON.stringify(published));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  url = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
  verify = userVerifier(url);
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

interface Changes {
  claims?: Record<string, unknown>;
  kid?: string;
  key?: Keys['privateKey'];
  issuer?: string;
  audience?: string;
  expires?: string | null;
}

function sign({ claims, kid = 'k1', key = keys.privateKey, issuer, audience, expires = '15m' }: Changes = {}) {
  const token = new SignJWT({ role: user.role, sid: user.sessionId, amr: user.amr, sub: user.id, ...claims })
    .setProtectedHeader({ alg: 'ES256', kid })
    .setIssuer(issuer ?? TOKEN_ISSUER)
    .setAudience(audience ?? TOKEN_AUDIENCE)
    .setIssuedAt();
  return (expires === null ? token : token.setExpirationTime(expires)).sign(key);
}

const base64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('an access token', () => {
  test('says who its bearer is', async () => {
    expect(await verify(await sign())).toEqual(user);
  });

  test('that does not say how they signed in is of somebody with a password', async () => {
    expect(await verify(await sign({ claims: { amr: undefined } }))).toEqual({ ...user, amr: ['pwd'] });
  });

  test.each<[string, Changes]>([
    ['that has expired', { expires: '-1s' }],
    ['that never expires', { expires: null }],
    ['of another issuer', { issuer: 'somebody' }],
    ['for another audience', { audience: 'tutorconnect-internal' }],
    ['of a role that does not exist', { claims: { role: 'owner' } }],
    ['without a session', { claims: { sid: undefined } }],
    ['of nobody', { claims: { sub: 'me' } }],
    ['by a key that is not published', { kid: 'k2' }],
  ])('%s is refused', async (_, changes) => {
    await expect(verify(await sign(changes))).rejects.toMatchObject(NO);
  });

  test('signed by another key under the published name is refused', async () => {
    await expect(verify(await sign({ key: strangers.privateKey }))).rejects.toMatchObject(NO);
  });

  test('without a signature, or signed with the public key as a secret, is refused', async () => {
    const [, payload = ''] = (await sign()).split('.');
    await expect(verify(`${base64({ alg: 'none' })}.${payload}.`)).rejects.toMatchObject(NO);
    const publicBytes = new TextEncoder().encode(JSON.stringify(published));
    const confused = await new SignJWT({ role: 'admin', sid: user.sessionId, sub: user.id })
      .setProtectedHeader({ alg: 'HS256', kid: 'k1' })
      .setIssuer(TOKEN_ISSUER)
      .setAudience(TOKEN_AUDIENCE)
      .setExpirationTime('15m')
      .sign(publicBytes);
    await expect(verify(confused)).rejects.toMatchObject(NO);
  });

  test('that was changed, or is none, is refused', async () => {
    const [head = '', , signature = ''] = (await sign()).split('.');
    const claims = base64({ sub: user.id, role: 'admin', sid: user.sessionId, iss: TOKEN_ISSUER, aud: TOKEN_AUDIENCE });
    for (const token of [`${head}.${claims}.${signature}`, 'x', 'a.b.c', '', 'x'.repeat(10_000)])
      await expect(verify(token)).rejects.toMatchObject(NO);
  });
});

describe('a token that was verified before', () => {
  const at = (milliseconds: number) =>
    jest.useFakeTimers({ now: milliseconds, doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask', 'setTimeout'] });
  afterEach(() => jest.useRealTimers());

  async function verifiedTwice(verifier: VerifyUser, changes?: Changes): Promise<string> {
    await verifier(await sign()); // fetches the keys
    const token = await sign(changes);
    expect(await verifier(token)).toEqual(user);
    expect(await verifier(token)).toEqual(user);
    return token;
  }

  test('is refused once it expires', async () => {
    const verifier = userVerifier(url);
    const token = await verifiedTwice(verifier, { expires: '2m' });
    at(Date.now() + 119_000);
    expect(await verifier(token)).toEqual(user);
    at(Date.now() + 1_000);
    await expect(verifier(token)).rejects.toMatchObject(NO);
  });

  test('is refused once its key is withdrawn and the keys are due again', async () => {
    const verifier = userVerifier(url);
    const token = await verifiedTwice(verifier);
    const before = published;
    published = { keys: [{ ...(await exportJWK(strangers.publicKey)), kid: 'k2', alg: 'ES256', use: 'sig' }] };
    at(Date.now() + 600_000);
    await expect(verifier(token)).rejects.toMatchObject(NO);
    published = before;
  });

  test('is refused as soon as a token of a newer key has brought keys without its own', async () => {
    const verifier = userVerifier(url);
    const token = await verifiedTwice(verifier);
    const before = published;
    published = { keys: [{ ...(await exportJWK(strangers.publicKey)), kid: 'k2', alg: 'ES256', use: 'sig' }] };
    at(Date.now() + 6_000); // one looks again every 5 s at most
    expect(await verifier(await sign({ kid: 'k2', key: strangers.privateKey }))).toEqual(user);
    await expect(verifier(token)).rejects.toMatchObject(NO);
    published = before;
  });

  test('does not vouch for one that differs from it in its signature only', async () => {
    const verifier = userVerifier(url);
    const token = await verifiedTwice(verifier);
    const [head, claims] = token.split('.');
    await expect(verifier(`${head}.${claims}.${'A'.repeat(86)}`)).rejects.toMatchObject(NO);
  });
});

describe('when no keys are to be had', () => {
  test.each<[string, () => Promise<VerifyUser>]>([
    ['because identity is down', async () => userVerifier('http://127.0.0.1:1')],
    [
      'because identity answers with an error',
      async () => {
        answer = 503;
        return userVerifier(url);
      },
    ],
    [
      'because what it answers is no key set',
      async () => {
        published = { html: 'hello' };
        return userVerifier(url);
      },
    ],
  ])('%s, nobody is told that their token is bad', async (_, make) => {
    const before = published;
    const token = await sign();
    const verifier = await make();
    await expect(verifier(token)).rejects.toMatchObject({ ...DOUBT, more: { retryAfterSeconds: 2 } });
    answer = 200;
    published = before;
  });

  test('keys that were fetched before go on to be used', async () => {
    await verify(await sign());
    answer = 503;
    expect(await verify(await sign())).toEqual(user);
    answer = 200;
  });
});

describe('a service token', () => {
  const tokens = serviceTokens('a-secret-for-tests-a-secret-for-tests');

  test('is accepted by all that share the secret, and kept while it is fresh', async () => {
    const token = await tokens.issue();
    await serviceTokens('a-secret-for-tests-a-secret-for-tests').verify(token);
    expect(await tokens.issue()).toBe(token);
  });

  test('is renewed before it expires', async () => {
    const token = await tokens.issue();
    jest.useFakeTimers({ now: Date.now() + 181_000, doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
    expect(await tokens.issue()).not.toBe(token);
    jest.useRealTimers();
  });

  test('is refused after its end, however often it was accepted before', async () => {
    const token = await serviceTokens('a-secret-for-tests-a-secret-for-tests').issue();
    await tokens.verify(token);
    await tokens.verify(token);
    jest.useFakeTimers({ now: Date.now() + 301_000, doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
    await expect(tokens.verify(token)).rejects.toMatchObject(NO);
    jest.useRealTimers();
  });

  test('of another secret, for another audience, without an end or that is none is refused', async () => {
    const key = new TextEncoder().encode('a-secret-for-tests-a-secret-for-tests');
    const unsigned = () => new SignJWT({}).setProtectedHeader({ alg: 'HS256' });
    const forged = [
      await serviceTokens('another-secret-another-secret-another').issue(),
      await unsigned().setAudience(TOKEN_AUDIENCE).setExpirationTime('5m').sign(key),
      await unsigned().setAudience('tutorconnect-internal').sign(key),
      await unsigned().setAudience('tutorconnect-internal').setExpirationTime('-1s').sign(key),
      await sign(),
      `${base64({ alg: 'none' })}.${base64({ aud: 'tutorconnect-internal', exp: 9_999_999_999 })}.`,
      'x',
    ];
    for (const token of forged) await expect(tokens.verify(token)).rejects.toMatchObject(NO);
  });
});

describe('the Authorization header', () => {
  test('holds a bearer token, whatever the case of its scheme', () => {
    expect(bearerToken('Bearer a.b-c_d~e+f/g==')).toBe('a.b-c_d~e+f/g==');
    expect(bearerToken('bearer x')).toBe('x');
  });

  test.each([undefined, '', 'Bearer', 'Bearer ', 'Basic eDp5', 'Bearer a b', 'Bearer a,b', 'Token x', ' Bearer x'])(
    '%p holds none',
    (header) => {
      expect(() => bearerToken(header)).toThrow(expect.objectContaining(NO));
    },
  );
});

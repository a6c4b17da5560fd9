import { exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose';
import { TOKEN_ALGORITHM, TOKEN_AUDIENCE, TOKEN_ISSUER } from '../../platform/auth';

const AUDIENCE = 'tutorconnect-internal';

const now = () => Math.floor(Date.now() / 1_000);
const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

function parts(token: string) {
  const [header = '', payload = '', signature = ''] = token.split('.');
  const claims: JWTPayload = JSON.parse(Buffer.from(payload, 'base64url').toString());
  const { kid }: { kid: string } = JSON.parse(Buffer.from(header, 'base64url').toString());
  return { header, payload, signature, claims, kid };
}

/** A service token as the platform signs one, but for what `claims` and `secret` change. */
export const signServiceToken = (secret: string, claims: JWTPayload = {}) =>
  new SignJWT({ aud: AUDIENCE, exp: now() + 200, ...claims })
    .setProtectedHeader({ alg: 'HS256' })
    .sign(new TextEncoder().encode(secret));

/**
 * Every way of having a token that identity did not give to this person, by what it is.
 * @param token what identity gave them
 * @param known the public keys of identity
 * @param serviceSecret what services sign their tokens with
 */
export async function forgedUserTokens(token: string, known: JWK[], serviceSecret: string) {
  const { header, payload, signature, claims, kid } = parts(token);
  const own = await generateKeyPair(TOKEN_ALGORITHM, { extractable: true });
  const jwk = await exportJWK(own.publicKey);
  const signed = (change: JWTPayload, head: Record<string, unknown> = {}) =>
    new SignJWT({ ...claims, ...change })
      .setProtectedHeader({ alg: TOKEN_ALGORITHM, kid, ...head })
      .sign(own.privateKey);
  const byPublicKey = (key: string) =>
    new SignJWT(claims).setProtectedHeader({ alg: 'HS256', kid }).sign(new TextEncoder().encode(key));
  return {
    'alg none': `${part({ alg: 'none', kid })}.${payload}.`,
    'alg nOnE with a signature': `${part({ alg: 'nOnE', kid })}.${payload}.${signature}`,
    'no signature': `${header}.${payload}.`,
    'a signature of zeros': `${header}.${payload}.${Buffer.alloc(64).toString('base64url')}`,
    'a second factor under the same signature': `${header}.${part({ ...claims, amr: ['pwd', 'mfa'] })}.${signature}`,
    'another role under the same signature': `${header}.${part({ ...claims, role: 'admin' })}.${signature}`,
    'a key of their own': await signed({}),
    'a key of their own, brought along': await signed({}, { jwk }),
    'a key of their own, to be fetched': await signed(
      {},
      { jku: 'http://127.0.0.1:1/keys', x5u: 'http://127.0.0.1:1/' },
    ),
    'an unknown extension': `${part({ alg: TOKEN_ALGORITHM, kid, crit: ['exp2'], exp2: 1 })}.${payload}.${signature}`,
    'the public key as a shared secret': await byPublicKey(JSON.stringify(known[0])),
    'the secret of the services': await byPublicKey(serviceSecret),
    'a service token': await signServiceToken(serviceSecret),
  };
}

/** Tokens that look like a service's and are none, by what is wrong with them. `secret` is the right one. */
export async function forgedServiceTokens(secret: string) {
  return {
    expired: await signServiceToken(secret, { exp: now() - 1 }),
    'without an end': await signServiceToken(secret, { exp: undefined }),
    'for the public API': await signServiceToken(secret, { aud: TOKEN_AUDIENCE, iss: TOKEN_ISSUER }),
    'without an audience': await signServiceToken(secret, { aud: undefined }),
    'of another secret': await signServiceToken('x'.repeat(32)),
    'alg none': `${part({ alg: 'none' })}.${part({ aud: AUDIENCE, exp: now() + 200 })}.`,
  };
}

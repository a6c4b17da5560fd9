import { createRemoteJWKSet, type JWKSCacheInput, jwksCache, jwtVerify, SignJWT } from 'jose';
import { z } from 'zod';
import { ProblemError } from '../kernel/errors';
import { remember } from '../kernel/remember';
import type { Role } from './endpoint';

/** Issuer and audience of access tokens (RFC 7519 §4.1). identity signs them, every service verifies them itself. */
export const TOKEN_ISSUER = 'tutorconnect';
export const TOKEN_AUDIENCE = 'tutorconnect-api';
/** The one algorithm that is accepted, so that `none` and key confusion are out (RFC 8725 §3.1). */
export const TOKEN_ALGORITHM = 'ES256';

const SERVICE_AUDIENCE = 'tutorconnect-internal';
const SERVICE_TOKEN_SECONDS = 300;

/** The person behind an access token. */
export interface User {
  id: string;
  role: Role;
  /** The session (refresh-token family) the token belongs to. */
  sessionId: string;
  /** How they showed who they are when they signed in (RFC 8176). */
  amr: string[];
}

/** Whether they have shown a second factor, whichever it was. */
export function hasShownSecondFactor({ amr }: User): boolean {
  return amr.includes('mfa');
}

export type VerifyUser = (token: string) => Promise<User>;

const accessClaims = z.object({
  sub: z.uuid(),
  role: z.enum(['student', 'tutor', 'admin']),
  sid: z.uuid(),
  // A token of an identity that did not say so yet: there were passwords alone.
  amr: z.array(z.string()).default(['pwd']),
  exp: z.number(),
});

/** Tokens whose users are remembered, at some 600 bytes each; the oldest is forgotten for one more. */
const MOST_REMEMBERED = 10_000;

/**
 * Verifies access tokens against identity's JWKS. Keys are cached for ten minutes; a token with an unknown `kid` makes
 * it look again (at most every 5 s), so that a rotation needs no restart. A token is verified once for each time that the
 * keys are fetched and is remembered until it expires or the keys are due again: a key that was withdrawn is good for
 * no longer than without this memory. Only what was found valid is remembered, so nobody fills it with guesses.
 * @throws ProblemError unauthenticated; upstream_unavailable when no keys could be had at all.
 */
export function userVerifier(identityUrl: string): VerifyUser {
  const published: JWKSCacheInput = {};
  const keys = createRemoteJWKSet(new URL(`${identityUrl}/api/auth/.well-known/jwks.json`), {
    cacheMaxAge: 600_000,
    cooldownDuration: 5_000,
    timeoutDuration: 2_000,
    [jwksCache]: published,
  });
  const remembered = new Map<string, Verified>();
  let fetchedAt: number | undefined;
  return async (token) => {
    if (fetchedAt !== published.uat) {
      fetchedAt = published.uat;
      remembered.clear();
    }
    const known = keys.fresh ? remembered.get(token) : undefined;
    if (known && known.expiresAt > Date.now()) return known.user;
    const under = published.uat;
    const verified = await verify(token, keys);
    // Keys that came meanwhile may not hold the one that this token was verified with.
    if (under === published.uat && under === fetchedAt) remember(remembered, token, verified, MOST_REMEMBERED);
    return verified.user;
  };
}

interface Verified {
  user: User;
  /** In milliseconds since the epoch. */
  expiresAt: number;
}

/**
 * Verifies one access token with `keys`: a JWKS resolver, or a single public key.
 * @throws ProblemError unauthenticated; upstream_unavailable when the keys could not be had
 */
export async function verifyAccessToken(token: string, keys: Keys): Promise<User> {
  return (await verify(token, keys)).user;
}

type Keys = Parameters<typeof jwtVerify>[1] | ReturnType<typeof createRemoteJWKSet>;

async function verify(token: string, keys: Keys): Promise<Verified> {
  const options = {
    issuer: TOKEN_ISSUER,
    audience: TOKEN_AUDIENCE,
    algorithms: [TOKEN_ALGORITHM],
    requiredClaims: ['exp'],
  };
  const verified = await (typeof keys === 'function'
    ? jwtVerify(token, keys, options)
    : jwtVerify(token, keys, options)
  ).catch((error: unknown) => {
    if (isUnreachable(error))
      throw new ProblemError('upstream_unavailable', 'The keys to check tokens with are out of reach', {
        retryAfterSeconds: 2,
      });
    throw new ProblemError('unauthenticated', 'The access token is not valid or has expired');
  });
  const claims = accessClaims.safeParse(verified.payload);
  if (!claims.success) throw new ProblemError('unauthenticated', 'The access token is not of this platform');
  const { sub, role, sid, amr, exp } = claims.data;
  return { user: { id: sub, role, sessionId: sid, amr }, expiresAt: Math.floor(exp) * 1_000 };
}

/** jose's codes for a key set that came late, with another status than 200, or as something else than a key set. */
const NO_KEY_SET = new Set(['ERR_JWKS_TIMEOUT', 'ERR_JOSE_GENERIC', 'ERR_JWKS_INVALID']);

/** Every jose error about the token itself has a code of its own; a fetch that failed has none of jose's. */
function isUnreachable(error: unknown): boolean {
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
  return !code.startsWith('ERR_J') || NO_KEY_SET.has(code);
}

/** More than a platform has processes at once. */
const MOST_SERVICE_TOKENS = 64;

/** Signs and checks, with one secret all parts share, the short-lived tokens by which the platform's parts call `/internal/…`. */
export function serviceTokens(sharedSecret: string) {
  const key = new TextEncoder().encode(sharedSecret);
  let cached: { token: string; freshUntil: number } | undefined;
  /** Until when tokens are good that were found to be, in milliseconds since the epoch: each process sends its own for minutes. */
  const good = new Map<string, number>();
  return {
    /** A token that is valid for at least two more minutes. */
    async issue(): Promise<string> {
      const now = Date.now();
      if (cached && cached.freshUntil > now) return cached.token;
      const token = await new SignJWT()
        .setProtectedHeader({ alg: 'HS256' })
        .setAudience(SERVICE_AUDIENCE)
        .setIssuedAt()
        .setExpirationTime(`${SERVICE_TOKEN_SECONDS}s`)
        .sign(key);
      cached = { token, freshUntil: now + (SERVICE_TOKEN_SECONDS - 120) * 1_000 };
      return token;
    },
    /** @throws ProblemError unauthenticated */
    async verify(token: string): Promise<void> {
      if ((good.get(token) ?? 0) > Date.now()) return;
      const claims = { audience: SERVICE_AUDIENCE, algorithms: ['HS256'], requiredClaims: ['exp'] };
      const { payload } = await jwtVerify(token, key, claims).catch(() => {
        throw new ProblemError('unauthenticated', 'A service token is needed');
      });
      remember(good, token, Number(payload.exp) * 1_000, MOST_SERVICE_TOKENS);
    },
  };
}

export type ServiceTokens = ReturnType<typeof serviceTokens>;

/** The token of an `Authorization: Bearer …` header (RFC 6750 §2.1). @throws ProblemError unauthenticated */
export function bearerToken(header: string | undefined): string {
  const match = /^Bearer ([A-Za-z0-9\-._~+/]+=*)$/i.exec(header ?? '');
  if (!match?.[1]) throw new ProblemError('unauthenticated', 'Send an access token as Authorization: Bearer …');
  return match[1];
}

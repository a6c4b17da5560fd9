import type { IncomingHttpHeaders } from 'node:http';
import type { ServiceDeps } from '../../../platform/service';
import type { LoginChallenge, Tokens } from '../contract';
import { identityKey, type Keyring } from '../keyring';
import { relyingParty } from '../passkeys';
import { authenticationMethods, deviceLabel } from '../rules';
import { challengeOf } from '../store/challenges';
import { rememberAddress } from '../store/login-addresses';
import { type OpenSession, openSession, type SignInProof } from '../store/sessions';

/** Replies that hold tokens or other secrets are kept by nobody (RFC 6749 §5.1). */
export const NO_STORE = { 'Cache-Control': 'no-store' };

/** Who asks, and from where. */
export interface Caller {
  address: string;
  headers: IncomingHttpHeaders;
}

/** Where a session is, as its person sees it. */
export const deviceOf = ({ headers, address }: Caller) => ({ userAgent: deviceLabel(headers['user-agent']), address });

/** Makes what signs people in who have shown who they are. It throws ProblemError invalid_credentials where that counts no more. */
export function createSignIn({ database: { db }, config }: ServiceDeps, keyring: Keyring) {
  const addressKey = identityKey(config, 'login-addresses');
  const party = relyingParty(config.PUBLIC_URL);

  async function open(call: Caller, { id }: { id: string }, proof: SignInProof, isFirst: boolean): Promise<Tokens> {
    const session = await openSession(db, { userId: id, isFirst, proof, ...deviceOf(call) });
    await rememberAddress(db, addressKey, id, call.address);
    return tokensOf(keyring, session);
  }

  return {
    /** Signs in whose account was made just now. */
    first: (call: Caller, user: { id: string }, proof: SignInProof): Promise<Tokens> => open(call, user, proof, true),
    /** Signs somebody in, or has them show their second factor first. */
    async enter(
      call: Caller,
      user: { id: string },
      proof: SignInProof,
    ): Promise<{ tokens: Tokens } | { challenge: LoginChallenge }> {
      const challenge = await challengeOf(db, user.id, { proof, party });
      return challenge ? { challenge } : { tokens: await open(call, user, proof, false) };
    },
  };
}

/** What a client is given of a session. @throws the database's error when there are no keys to be had */
export async function tokensOf(
  keyring: Keyring,
  { userId, role, sessionId, method, secondFactor, ...refresh }: OpenSession,
): Promise<Tokens> {
  const amr = authenticationMethods(method, secondFactor);
  return { tokenType: 'Bearer', ...(await keyring.sign({ id: userId, role, sessionId, amr })), ...refresh };
}

import type { IncomingHttpHeaders } from 'node:http';
import type { ServiceDeps } from '../../../platform/service';
import type { Tokens } from '../contract';
import { identityKey, type Keyring } from '../keyring';
import { authenticationMethods, deviceLabel } from '../rules';
import { rememberAddress } from '../store/login-addresses';
import { type NewSession, openSession } from '../store/sessions';

/** Replies that hold tokens are kept by nobody (RFC 6749 §5.1). */
export const NO_STORE = { 'Cache-Control': 'no-store' };

/** Who asks, and from where. */
export interface Caller {
  address: string;
  headers: IncomingHttpHeaders;
}

/** Makes what signs a person in who has shown who they are. It throws ProblemError invalid_credentials where that counts no more. */
export function createSignIn({ database: { db }, config }: ServiceDeps, keyring: Keyring) {
  const addressKey = identityKey(config, 'login-addresses');
  return async (
    call: Caller,
    user: { id: string; role: 'student' | 'tutor' | 'admin' },
    { isFirst, proof }: Pick<NewSession, 'isFirst' | 'proof'>,
  ): Promise<Tokens> => {
    const device = { userAgent: deviceLabel(call.headers['user-agent']), address: call.address };
    const session = await openSession(db, { userId: user.id, isFirst, proof, ...device });
    const { sessionId, method, ...refresh } = session;
    await rememberAddress(db, addressKey, user.id, call.address);
    const amr = authenticationMethods(method);
    return tokensOf(await keyring.sign({ id: user.id, role: user.role, sessionId, amr }), refresh);
  };
}

/** What a client is given of a session. */
export function tokensOf(
  access: Pick<Tokens, 'accessToken' | 'accessTokenExpiresAt'>,
  refresh: Pick<Tokens, 'refreshToken' | 'refreshTokenExpiresAt'>,
): Tokens {
  return { tokenType: 'Bearer', ...access, ...refresh };
}

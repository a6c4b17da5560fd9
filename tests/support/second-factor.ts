import type { Sql } from 'postgres';
import { codeOf } from '../../dev/machine/authenticator';
import type { TestService } from './service';

type Asking = Pick<TestService, 'ask'>;

export interface Enrolled {
  /** Says that the second factor was shown. */
  token: string;
  refreshToken: string;
  /** What is in the authenticator. */
  secret: string;
  recoveryCodes: string[];
}

/** The code of the step after this one: it is taken too, also where that of now was used already. */
export const nextCode = (secret: string): string => codeOf(secret, new Date(Date.now() + 30_000));

/** Gives somebody who has no second factor one, as a person does: through the API, with the code of now. */
export async function enrolled({ ask }: Asking, who: { email: string; password: string }): Promise<Enrolled> {
  const expecting = async (status: number, method: string, path: string, token: string | undefined, body: object) => {
    const reply = await ask(method, path, { ...(token !== undefined && { token }), body });
    if (reply.status === status) return reply.body;
    throw new Error(`${path} was answered ${reply.status}: ${JSON.stringify(reply.body)}`);
  };
  const { accessToken, refreshToken } = (await expecting(200, 'POST', '/api/auth/login', undefined, who)).tokens;
  const { secret } = await expecting(201, 'POST', '/api/auth/totp', accessToken, { password: who.password });
  const confirmation = { code: codeOf(secret) };
  const { recoveryCodes } = await expecting(200, 'POST', '/api/auth/totp/confirm', accessToken, confirmation);
  const { tokens } = await expecting(200, 'POST', '/api/auth/refresh', undefined, { refreshToken });
  return { token: tokens.accessToken, refreshToken: tokens.refreshToken, secret, recoveryCodes };
}

/** Makes somebody an administrator who has shown a second factor. */
export async function administrator(
  asking: Asking,
  identity: Sql,
  { email, password }: { email: string; password: string },
): Promise<Enrolled> {
  await identity`update users set role = 'admin' where lower(email) = lower(${email})`;
  return enrolled(asking, { email, password });
}

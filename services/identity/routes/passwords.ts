import { notValid, ProblemError } from '../../../kernel/errors';
import type { Service } from '../../../platform/http-server';
import { done } from '../../../platform/replies';
import type { ServiceDeps } from '../../../platform/service';
import { identityContract as contract } from '../contract';
import { hashPassword, verifyPassword } from '../passwords';
import { rateLimitHeaders } from '../rules';
import { createLimits } from '../store/limits';
import { changePassword, checkReset, readPasswordHash, resetPassword } from '../store/passwords';
import { createAccountMails } from './account-mails';

/** Passwords that were forgotten or are changed, and the proof of an address that is sent once more. */
export function servePasswords(service: Service, deps: ServiceDeps): void {
  const { db } = deps.database;
  const limits = createLimits(deps);
  const mails = createAccountMails(deps);

  service.serve(contract.forgotPassword, async ({ body, address }) => ({
    status: 202 as const,
    headers: await mails.forgotPassword(body.email, address),
    body: {},
  }));

  service.serve(contract.resendVerification, async ({ user }) => ({
    ...done,
    headers: await mails.resendVerification(user.id),
  }));

  service.serve(contract.resetPassword, async ({ body }) => {
    await resetBy(db, body.token, body.password);
    return done;
  });

  service.serve(contract.changePassword, async ({ user, params, body }) => {
    if (params.id !== user.id) throw new ProblemError('not_found');
    const headers = rateLimitHeaders(await limits.passwordOf(user.id));
    const current = body.currentPassword.normalize('NFC');
    const currentHash = await readPasswordHash(db, user.id);
    if (!(await verifyPassword(currentHash, current)) || currentHash === undefined)
      throw wrong('currentPassword', 'is not your password', headers);
    if (current === body.newPassword) throw wrong('newPassword', 'must be another one than before', headers);
    const passwordHash = await hashPassword(body.newPassword);
    const { sessionId } = user;
    if (!(await changePassword(db, user.id, { currentHash, passwordHash, sessionId })))
      throw wrong('currentPassword', 'was replaced in this moment', headers);
    return { ...done, headers };
  });
}

function wrong(path: string, message: string, headers: Record<string, string>): ProblemError {
  return notValid([{ path, message }], headers);
}

/** Sets a new password with the token of a mail. What is no such token costs no hash. @throws ProblemError invalid_token */
export async function resetBy(db: ServiceDeps['database']['db'], token: string, password: string): Promise<void> {
  await checkReset(db, token);
  await resetPassword(db, token, await hashPassword(password));
}

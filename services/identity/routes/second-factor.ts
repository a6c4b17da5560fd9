import { notValid } from '../../../kernel/errors';
import type { Service } from '../../../platform/http-server';
import { created, done, ok } from '../../../platform/replies';
import type { ServiceDeps } from '../../../platform/service';
import { identityContract as contract } from '../contract';
import { identityKey } from '../keyring';
import { relyingParty } from '../passkeys';
import { verifyPassword } from '../passwords';
import { rateLimitHeaders } from '../rules';
import { createLimits } from '../store/limits';
import { addPasskey, listPasskeys, removePasskey, startPasskey } from '../store/passkeys';
import { readPasswordHash } from '../store/passwords';
import { confirmTotp, removeTotp, startTotp } from '../store/second-factors';
import { telling } from './limit-headers';
import { NO_STORE } from './sign-in';

/** A second factor that people set up and give up. */
export function serveSecondFactor(service: Service, deps: ServiceDeps): void {
  const { db } = deps.database;
  const limits = createLimits(deps);
  const key = identityKey(deps.config, 'totp');
  const party = relyingParty(deps.config.PUBLIC_URL);

  /** The hash of the password, which the person gave. @throws ProblemError rate_limited, validation_failed */
  async function provenHash(userId: string, password: string): Promise<string> {
    return telling(rateLimitHeaders(await limits.passwordOf(userId)), async () => {
      const passwordHash = await readPasswordHash(db, userId);
      const isRight = await verifyPassword(passwordHash, password.normalize('NFC'));
      if (isRight && passwordHash !== undefined) return passwordHash;
      throw notValid([{ path: 'password', message: 'is not your password' }]);
    });
  }

  /** Counts what a person gives as their second factor, unless it proves to be right. @throws ProblemError rate_limited, and what `take` throws */
  async function counted<Taken>(userId: string, take: () => Promise<Taken>): Promise<Taken> {
    return telling(rateLimitHeaders(await limits.codeOf(userId)), async () => {
      const taken = await take();
      await limits.codeWasRight(userId);
      return taken;
    });
  }

  service.serve(contract.startTotp, async ({ user, body }) => {
    const passwordHash = await provenHash(user.id, body.password);
    return { ...created(await startTotp(db, user.id, { passwordHash, key })), headers: NO_STORE };
  });

  service.serve(contract.confirmTotp, async ({ user, body, receivedAt }) => {
    const given = { code: body.code, at: receivedAt, key, sessionId: user.sessionId };
    const recoveryCodes = await counted(user.id, () => confirmTotp(db, user.id, given));
    return { ...ok({ recoveryCodes }), headers: NO_STORE };
  });

  service.serve(contract.removeTotp, async ({ user, body, receivedAt }) => {
    const passwordHash = await provenHash(user.id, body.password);
    const given = { code: body.code, at: receivedAt, key, passwordHash, sessionId: user.sessionId };
    await counted(user.id, () => removeTotp(db, user.id, given));
    return done;
  });

  service.serve(contract.startPasskey, async ({ user, body }) => {
    const passwordHash = await provenHash(user.id, body.password);
    const options = await startPasskey(db, user.id, { passwordHash, sessionId: user.sessionId, party });
    return { ...created({ options: { ...options } }), headers: NO_STORE };
  });

  service.serve(contract.addPasskey, async ({ user, body }) =>
    created(await addPasskey(db, user.id, { credential: body.credential, sessionId: user.sessionId, party })),
  );

  service.serve(contract.listPasskeys, async ({ user }) => ok({ items: await listPasskeys(db, user.id) }));

  service.serve(contract.removePasskey, async ({ user, params }) => {
    await removePasskey(db, user.id, params.id);
    return done;
  });
}

import { ProblemError } from '../../../kernel/errors';
import { HOUR } from '../../../kernel/time';
import type { ServiceDefinition, ServiceDeps } from '../../../platform/service';
import { identityContract as contract } from '../contract';
import { forgetOldEmailChanges } from '../email-change/store/saga-steps';
import { identityEvents, identityPeople } from '../events';
import { createKeyring } from '../keyring';
import { forgetOldTransactions } from '../oidc/store/transactions';
import { preparePasswords } from '../passwords';
import { forgetOldMails } from '../store/account-mails';
import { forgetOldChallenges } from '../store/challenges';
import { forgetOldVerifications } from '../store/email-verification';
import { forgetOldLimits } from '../store/limits';
import { forgetOldAddresses } from '../store/login-addresses';
import { forgetOldResets } from '../store/passwords';
import { peopleOutbox } from '../store/people';
import { forgetOldSessions, isSessionOpen } from '../store/sessions';
import { forgetOldSigningKeys } from '../store/signing-keys';
import { serveOidc } from './oidc';
import { serveOidcCallback } from './oidc-callback';
import { servePasswordPages } from './password-pages';
import { servePeople } from './people';
import { serveSagaSteps } from './saga-steps';
import { serveVerificationPage } from './verification-page';

/** Who somebody is: accounts, sign-in and sessions, the keys of access tokens, and the steps of the sagas of sign-ups and mails. */
export const identityService: ServiceDefinition = {
  name: 'identity',
  contract,
  events: identityEvents,
  keyed: { 'identity.people': identityPeople },
  outboxes: (db) => [peopleOutbox(db)],
  verifyUser(deps) {
    const keyring = createKeyring(deps);
    return async (token) => {
      const user = await keyring.verify(token);
      if (!(await isSessionOpen(deps.database.db, user.id, user.sessionId))) {
        throw new ProblemError('unauthenticated', 'The session of this access token has ended');
      }
      return user;
    };
  },
  async routes(service, deps) {
    const keyring = createKeyring(deps);
    serveVerificationPage(service, deps);
    servePasswordPages(service, deps);
    serveOidcCallback(service, deps);
    servePeople(service, deps, keyring);
    serveOidc(service, deps, keyring);
    serveSagaSteps(service, deps);
    await preparePasswords();
    // A database that is down at the start is told by /readyz; the keys are then read at the first need.
    await keyring.ready().catch((error: unknown) => deps.logger.warn({ err: error }, 'no signing keys yet'));
    return keepTidy(deps);
  },
};

/** Forgets, at the start and once an hour, what nobody asks for any more. */
function keepTidy({ database: { db }, logger }: ServiceDeps) {
  const tidy = async () => {
    await forgetOldLimits(db);
    await forgetOldAddresses(db);
    await forgetOldSessions(db);
    await forgetOldVerifications(db);
    await forgetOldResets(db);
    await forgetOldChallenges(db);
    await forgetOldMails(db);
    await forgetOldTransactions(db);
    await forgetOldEmailChanges(db);
    await forgetOldSigningKeys(db);
  };
  const tidyOrTell = () =>
    tidy().catch((error: unknown) => logger.warn({ err: error }, 'tidying up failed; tried again in an hour'));
  void tidyOrTell(); // a service that is restarted every day would otherwise never come to it
  const timer = setInterval(tidyOrTell, HOUR);
  timer.unref();
  return { close: async () => clearInterval(timer) };
}

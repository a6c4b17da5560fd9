import type { Service } from '../../../platform/http-server';
import { byService } from '../../../platform/idempotency';
import { nameOfProvider, type OidcProvider } from '../../../platform/oidc-settings';
import { done, ok } from '../../../platform/replies';
import type { ServiceDeps } from '../../../platform/service';
import { identityContract as contract, type LinkOfMail } from '../contract';
import { identityKey } from '../keyring';
import { beginMail, issueLink } from '../store/account-mails';
import { listContacts, readContact } from '../store/contacts';
import { becomeTutor } from '../store/roles';
import { activateUser, createProfile, issueEmailVerification, removeProfile, removeUser } from '../store/saga-steps';
import { isOpenSession } from '../store/sessions';
import { lookAtSuspension, reinstate } from '../store/suspensions';
import { beginTutorAccount, refuseTutorAccount } from '../store/tutor-accounts';
import { readInternalUser, readPair, readPeople } from '../store/users';
import { sweepAccountMails } from './account-mails';
import { sweepSignUps } from './sign-up';
import { sweepSuspensions } from './suspensions';
import { sweepTutorAccounts } from './tutor-accounts';

/** The steps and undos of the sign-up saga, the steps of mails with a link, and what other contexts need to know of a user or a session. */
export function serveSagaSteps(service: Service, deps: ServiceDeps): void {
  const { config, database } = deps;
  const { db } = database;
  const emailKey = identityKey(config, 'email-verification');
  const linkKeys = { reset: identityKey(config, 'password-reset'), verification: emailKey };

  service.serve(contract.getSession, async ({ params }) => ok({ open: await isOpenSession(db, params.id) }));

  service.serve(contract.getUser, async ({ params }) => ok(await readInternalUser(db, params.id)));

  service.serve(contract.getPeople, async ({ query }) => ok(await readPeople(db, query.first, query.second)));

  service.serve(contract.getPair, async ({ query }) => ok(await readPair(db, query.first, query.second)));

  service.serve(contract.getContact, async ({ params }) => ok(await readContact(db, params.id)));

  service.serve(contract.listContacts, async ({ query }) => ok(await listContacts(db, query)));

  service.serve(contract.createProfile, async (call) => {
    const { body } = await createProfile(db, byService(call), call.params.id);
    return ok(body);
  });

  service.serve(contract.removeProfile, async (call) => {
    await removeProfile(db, byService(call), call.params.id);
    return done;
  });

  service.serve(contract.sweepSignUps, async () => ok(await sweepSignUps(deps)));

  service.serve(contract.activateUser, async (call) => {
    const { body } = await activateUser(db, byService(call), call.params.id);
    return ok(body);
  });

  service.serve(contract.removeUser, async (call) => {
    await removeUser(db, byService(call), call.params.id);
    return done;
  });

  service.serve(contract.issueEmailVerification, async ({ params, idempotencyKey }) =>
    ok(await issueEmailVerification(db, params.id, idempotencyKey, emailKey)),
  );

  service.serve(contract.sweepTutorAccounts, async () => ok(await sweepTutorAccounts(deps)));

  service.serve(contract.beginTutorAccount, async (call) => {
    await beginTutorAccount(db, byService(call), call.params.id);
    return done;
  });

  service.serve(contract.refuseTutorAccount, async (call) => {
    await refuseTutorAccount(db, byService(call), call.params.id);
    return done;
  });

  service.serve(contract.becomeTutor, async (call) => {
    await becomeTutor(db, byService(call), call.params.id);
    return done;
  });

  service.serve(contract.sweepSuspensions, async () => ok(await sweepSuspensions(deps)));

  service.serve(contract.lookAtSuspension, async ({ params }) => ok(await lookAtSuspension(db, params.id)));

  service.serve(contract.reinstateUser, async (call) => {
    await reinstate(db, byService(call), call.params.id);
    return done;
  });

  service.serve(contract.sweepAccountMails, async () => ok(await sweepAccountMails(deps)));

  service.serve(contract.beginAccountMail, async ({ params }) => ok(await beginMail(db, params.id)));

  service.serve(contract.issueLink, async ({ params, idempotencyKey }) =>
    ok(withNames(await issueLink(db, params.id, idempotencyKey, linkKeys), config.oidcProviders)),
  );
}

/** Calls providers what people call them. */
function withNames({ link }: LinkOfMail, providers: readonly OidcProvider[]): LinkOfMail {
  if (!link) return { link };
  return { link: { ...link, providers: link.providers.map((id) => nameOfProvider(providers, id)) } };
}

import type { Service } from '../../../platform/http-server';
import type { ServiceDeps } from '../../../platform/service';
import { identityContract as contract } from '../contract';
import { identityKey } from '../keyring';
import {
  activateUser,
  createProfile,
  issueEmailVerification,
  readInternalUser,
  readPair,
  removeProfile,
  removeUser,
} from '../store/users';

const OWNER = 'service';

/** The steps and undos of the sign-up saga, and what other contexts need to know of a user. */
export function serveInternal(service: Service, { config, database: { db } }: ServiceDeps): void {
  const emailKey = identityKey(config, 'email-verification');

  service.serve(contract.getUser, async ({ params }) => ({
    status: 200 as const,
    body: await readInternalUser(db, params.id),
  }));

  service.serve(contract.getPair, async ({ query }) => ({
    status: 200 as const,
    body: await readPair(db, query.first, query.second),
  }));

  service.serve(contract.createProfile, async ({ params, idempotencyKey: key, fingerprint }) => {
    const { body } = await createProfile(db, { owner: OWNER, key, fingerprint }, params.id);
    return { status: 200 as const, body };
  });

  service.serve(contract.removeProfile, async ({ params, idempotencyKey: key, fingerprint }) => {
    await removeProfile(db, { owner: OWNER, key, fingerprint }, params.id);
    return { status: 204 as const, body: undefined };
  });

  service.serve(contract.activateUser, async ({ params, idempotencyKey: key, fingerprint }) => {
    const { body } = await activateUser(db, { owner: OWNER, key, fingerprint }, params.id);
    return { status: 200 as const, body };
  });

  service.serve(contract.removeUser, async ({ params, idempotencyKey: key, fingerprint }) => {
    await removeUser(db, { owner: OWNER, key, fingerprint }, params.id);
    return { status: 204 as const, body: undefined };
  });

  service.serve(contract.issueEmailVerification, async ({ params, idempotencyKey }) => ({
    status: 200 as const,
    body: await issueEmailVerification(db, params.id, idempotencyKey, emailKey),
  }));
}

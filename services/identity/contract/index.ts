import { actsOperation } from '../../../platform/audit';
import { oidcOperations } from './oidc';
import { passkeyOperations } from './passkeys';
import { peopleOperations } from './people';
import { sagaOperations } from './saga';
import { secondFactorOperations } from './second-factor';
import { userOperations } from './users';

export * from './account';
export * from './oidc';
export * from './passkeys';
export * from './people';
export * from './saga';
export * from './users';

/** All operations of identity: `/api/…` for people through the gateway, `/internal/…` for activities. */
export const identityContract = {
  ...peopleOperations,
  ...userOperations,
  ...oidcOperations,
  ...secondFactorOperations,
  ...passkeyOperations,
  listActs: actsOperation('/api/identity-acts', 'listIdentityActs'),
  ...sagaOperations,
};

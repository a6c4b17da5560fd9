import { actsOperation } from '../../../platform/audit';
import { oidcOperations } from './oidc';
import { peopleOperations } from './people';
import { sagaOperations } from './saga';

export * from './account';
export * from './oidc';
export * from './people';
export * from './saga';

/** All operations of identity: `/api/…` for people through the gateway, `/internal/…` for activities. */
export const identityContract = {
  ...peopleOperations,
  ...oidcOperations,
  listActs: actsOperation('/api/identity-acts', 'listIdentityActs'),
  ...sagaOperations,
};

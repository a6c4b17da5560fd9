import { actsOperation } from '../../../platform/audit';
import { peopleOperations } from './people';
import { sagaOperations } from './saga';

export * from './account';
export * from './people';
export * from './saga';

/** All operations of identity: `/api/…` for people through the gateway, `/internal/…` for activities. */
export const identityContract = {
  ...peopleOperations,
  listActs: actsOperation('/api/identity-acts', 'listIdentityActs'),
  ...sagaOperations,
};

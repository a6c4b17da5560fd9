import { actsOperation } from '../../../platform/audit';
import { peopleOperations } from './people';
import { sagaOperations } from './saga';

export type * from './availability';
export type * from './people';
export type * from './pricing';
export type * from './profile';
export type * from './saga';

/** What tutoring promises, to people and to sagas. */
export const tutoringContract = {
  ...peopleOperations,
  listActs: actsOperation('/api/tutoring-acts', 'listTutoringActs'),
  ...sagaOperations,
} as const;

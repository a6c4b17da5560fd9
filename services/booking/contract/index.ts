import { peopleOperations } from './people';
import { sagaOperations } from './saga';

export * from './people';
export * from './saga';

/** All operations of booking. */
export const bookingContract = { ...peopleOperations, ...sagaOperations } as const;

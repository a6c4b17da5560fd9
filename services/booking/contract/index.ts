import { actsOperation } from '../../../platform/audit';
import { peopleOperations } from './people';
import { sagaOperations } from './saga';

export * from './people';
export * from './saga';

/** All operations of booking. */
export const bookingContract = {
  ...peopleOperations,
  listActs: actsOperation('/api/booking-acts', 'listBookingActs'),
  ...sagaOperations,
} as const;

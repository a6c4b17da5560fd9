import { actsOperation } from '../../../platform/audit';
import { peopleOperations } from './people';
import { sagaOperations } from './saga';
import { suspensionOperations } from './suspensions';

export * from './people';
export * from './saga';
export * from './suspensions';

/** All operations of booking. */
export const bookingContract = {
  ...peopleOperations,
  listActs: actsOperation('/api/booking-acts', 'listBookingActs'),
  ...sagaOperations,
  ...suspensionOperations,
} as const;

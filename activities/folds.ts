import type { CheckFolds, FoldsChecked } from '../platform/schemas';
import { createBookingClient } from '../services/booking/client';
import { createPaymentClient } from '../services/payment/client';
import type { Clients } from './clients';

export type FoldActivities = ReturnType<typeof createFoldActivities>;

/** What the Schedule asks that holds rows to their events. Nothing is changed by it, so it needs no keys. */
export function createFoldActivities({ clientOf }: Clients) {
  const booking = clientOf('booking', createBookingClient);
  const payment = clientOf('payment', createPaymentClient);

  return {
    checkBookingFolds: (check: CheckFolds): Promise<FoldsChecked> => booking.checkFolds(check),
    checkPaymentFolds: (check: CheckFolds): Promise<FoldsChecked> => payment.checkFolds(check),
  };
}

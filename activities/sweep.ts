import type { Swept } from '../platform/schemas';
import { createBookingClient } from '../services/booking/client';
import { createIdentityClient } from '../services/identity/client';
import { createNotificationClient } from '../services/notification/client';
import { createPaymentClient } from '../services/payment/client';
import type { EarningsSwept, PayoutsSwept } from '../services/payment/contract';
import { createTutoringClient } from '../services/tutoring/client';
import type { Clients } from './clients';
import { recipient } from './payment';

export type SweepActivities = ReturnType<typeof createSweepActivities>;

/** What the sweep asks of each context that starts sagas. Without keys: each is harmless twice, and finds other things every time. */
export function createSweepActivities({ clientOf }: Clients) {
  const booking = clientOf('booking', createBookingClient);
  const identity = clientOf('identity', createIdentityClient);
  const notification = clientOf('notification', createNotificationClient);
  const payment = clientOf('payment', createPaymentClient);
  const tutoring = clientOf('tutoring', createTutoringClient);

  return {
    sweepBookings: (): Promise<Swept> => booking.sweepRequests(),

    sweepPayments: (): Promise<Swept> => payment.sweepPayments(),

    /** Makes payable what tutors have earned and may be paid by now. */
    sweepEarnings: (): Promise<EarningsSwept> => payment.sweepEarnings(),

    /** Asks Stripe about payouts that no saga watches any more. */
    sweepPayouts: (): Promise<PayoutsSwept> => payment.sweepPayouts(),

    sweepSignUps: (): Promise<Swept> => identity.sweepSignUps(),

    /** Has each tutor written to whose stored prices cannot be charged and who is not listed therefore. Notification delivers it. */
    async sweepPrices(): Promise<Swept> {
      const { unlisted, untold } = await tutoring.sweepPrices();
      const told = await Promise.allSettled(
        untold.map(async ({ tutorId, refusedAt, price, because }) => {
          await notification.record(
            {
              template: 'prices_refused_tutor',
              ...recipient(await identity.getUser(tutorId)),
              usefulUntil: null,
              data: { refusedPrice: price, because },
            },
            `tutor:${tutorId}/prices-refused/${refusedAt}`,
          );
          await tutoring.markPricesTold(tutorId, { refusedAt });
        }),
      );
      // Those that could be told are, whatever became of the others, who are found again.
      const failed = told.find((each) => each.status === 'rejected');
      if (failed) throw failed.reason;
      return { found: untold.length, started: 0, refused: unlisted };
    },
  };
}

import type { Swept } from '../platform/schemas';
import type { Clients } from './clients';

export type SweepActivities = ReturnType<typeof createSweepActivities>;

/** What the sweep asks of each context that starts sagas. Without keys: each is harmless twice, and finds other things every time. */
export function createSweepActivities({ booking, identity, payment }: Clients) {
  return {
    sweepBookings: (): Promise<Swept> => booking.sweepRequests(),

    sweepPayments: (): Promise<Swept> => payment.sweepPayments(),

    sweepSignUps: (): Promise<Swept> => identity.sweepSignUps(),
  };
}

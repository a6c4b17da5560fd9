import { ProblemError } from '../kernel/errors';
import { createBookingClient } from '../services/booking/client';
import { createIdentityClient } from '../services/identity/client';
import { createPaymentClient } from '../services/payment/client';
import { createTutoringClient } from '../services/tutoring/client';
import type { Clients } from './clients';
import type { Step } from './step';

export type SuspensionActivities = ReturnType<typeof createSuspensionActivities>;

/** A suspension, and whose it is. */
interface Suspended {
  suspensionId: string;
  userId: string;
}

/** So often the bookings are looked at in one attempt: what was confirmed or moved meanwhile is withdrawn in another way. */
const MOST_LOOKS = 5;
/** So many bookings are named for an operator; the others are found once these are seen to. */
const MOST_NAMED = 20;

/** What is taken from a person who is kept out, and given back: each step beside what ends it. */
export function createSuspensionActivities({ clientOf }: Clients) {
  const identity = clientOf('identity', createIdentityClient);
  const tutoring = clientOf('tutoring', createTutoringClient);
  const booking = clientOf('booking', createBookingClient);
  const payment = clientOf('payment', createPaymentClient);

  return {
    lookAtSuspension: ({
      suspensionId,
      key,
    }: Step<Suspended>): Promise<{ tutor: boolean; until: string | null; over: boolean }> =>
      identity.lookAtSuspension(suspensionId, key),

    async reinstateUser({ suspensionId, key }: Step<Suspended>): Promise<{ reinstated: true }> {
      await identity.reinstateUser(suspensionId, key);
      return { reinstated: true };
    },

    async unlistTutor({ suspensionId, userId, key }: Step<Suspended>): Promise<void> {
      await tutoring.unlistTutor(userId, { suspensionId }, key);
    },

    async relistTutor({ suspensionId, userId, key }: Step<Suspended>): Promise<void> {
      await tutoring.relistTutor(userId, { suspensionId }, key);
    },

    async freezePayouts({ suspensionId, userId, key }: Step<Suspended>): Promise<void> {
      await payment.freezePayouts(userId, suspensionId, key);
    },

    async thawPayouts({ suspensionId, userId, key }: Step<Suspended>): Promise<void> {
      await payment.thawPayouts(userId, suspensionId, key);
    },

    /**
     * Withdraws what is not to take place, until nothing is left of it. Returns how many bookings an operator is to be asked about, and the first of
     * them. @throws ProblemError upstream_unavailable when some cannot be withdrawn at this moment
     */
    async withdrawSessions({ userId, key }: Step<Suspended>): Promise<{ count: number; ask: string[] }> {
      for (let looks = 0; looks < MOST_LOOKS; looks++) {
        const { withdraw, ask } = await booking.openSessions(userId);
        if (withdraw.length === 0) return { count: ask.length, ask: ask.slice(0, MOST_NAMED) };
        for (const { id, by } of withdraw)
          await booking.withdrawBooking(id, by, `${key}/${id}`).catch((error: unknown) => {
            // It was confirmed, moved or ended in this moment: the next look knows.
            if (!(error instanceof ProblemError) || error.code !== 'invalid_state') throw error;
          });
      }
      throw new ProblemError('upstream_unavailable', 'Some bookings cannot be withdrawn at this moment');
    },
  };
}

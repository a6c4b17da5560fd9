import { createIdentityClient } from '../services/identity/client';
import { createPaymentClient } from '../services/payment/client';
import { createTutoringClient } from '../services/tutoring/client';
import type { Clients } from './clients';
import { nameOf } from './payment';
import type { Step, Undo } from './step';

/** A request, and whose it is. */
interface Request {
  requestId: string;
  userId: string;
}

export type TutorAccountActivities = ReturnType<typeof createTutorAccountActivities>;

/**
 * The steps by which a student becomes a tutor: each `do` beside its undo. `key` is the step's idempotency key. Name and address are asked of
 * identity and handed on here; none is ever returned.
 */
export function createTutorAccountActivities({ clientOf }: Clients) {
  const identity = clientOf('identity', createIdentityClient);
  const tutoring = clientOf('tutoring', createTutoringClient);
  const payment = clientOf('payment', createPaymentClient);

  return {
    async beginTutorAccount({ requestId, key }: Step<Request>): Promise<void> {
      await identity.beginTutorAccount(requestId, key);
    },

    async refuseTutorAccount({ requestId, key }: Undo<Request>): Promise<void> {
      await identity.refuseTutorAccount(requestId, key);
    },

    /** A connected account, beside the customer that the person is as a student. It goes by the request's id, so that only it is removed. */
    async openPayeeAccount({ requestId, userId, key }: Step<Request>): Promise<void> {
      const user = await identity.getUser(userId);
      const whose = { userId, accountId: requestId, role: 'tutor' as const };
      await payment.createAccount({ ...whose, email: user.email, name: nameOf(user) }, key);
    },

    async closePayeeAccount({ requestId, key }: Undo<Request>): Promise<void> {
      await payment.removeAccount(requestId, key);
    },

    /** The empty profile that the tutor completes later. */
    async makeTutorProfile({ userId, key }: Step<Request>): Promise<void> {
      const user = await identity.getUser(userId);
      await tutoring.createTutor({ userId, displayName: nameOf(user), timeZone: user.timeZone }, key);
    },

    async removeTutorProfile({ userId, key }: Undo<Request>): Promise<void> {
      await tutoring.removeTutor(userId, key);
    },

    /** The pivot. */
    async becomeTutor({ requestId, key }: Step<Request>): Promise<{ tutor: true }> {
      await identity.becomeTutor(requestId, key);
      return { tutor: true };
    },
  };
}

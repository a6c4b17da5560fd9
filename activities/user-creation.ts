import { createIdentityClient } from '../services/identity/client';
import { VERIFICATION_PAGE } from '../services/identity/contract';
import { createNotificationClient } from '../services/notification/client';
import { createPaymentClient } from '../services/payment/client';
import { createTutoringClient } from '../services/tutoring/client';
import type { Clients } from './clients';
import { createNotices } from './notices';
import { nameOf } from './payment';
import type { Step, Undo } from './step';

/** Both kinds of people who sign up. */
export type SignUpRole = 'student' | 'tutor';

export type UserCreationActivities = ReturnType<typeof createUserCreationActivities>;

/**
 * The steps of the sign-up saga: each `do` beside its undo. `key` is the step's idempotency key. Name and address are asked of
 * identity and handed on here; none is ever returned.
 */
export function createUserCreationActivities(clients: Clients) {
  const { clientOf, publicUrl } = clients;
  const identity = clientOf('identity', createIdentityClient);
  const tutoring = clientOf('tutoring', createTutoringClient);
  const payment = clientOf('payment', createPaymentClient);
  const notification = clientOf('notification', createNotificationClient);
  const notices = createNotices(clients);

  return {
    /** Undo of registering, which identity did before the saga: the address can register again at once. */
    async removeUser({ userId, key }: Undo<{ userId: string }>): Promise<void> {
      await identity.removeUser(userId, key);
    },

    /** Returns the role that was registered, which from here on nobody changes. */
    async createProfile({ userId, key }: Step<{ userId: string }>): Promise<{ role: SignUpRole }> {
      const { role } = await identity.createProfile(userId, key);
      return { role: role === 'tutor' ? 'tutor' : 'student' };
    },

    async removeProfile({ userId, key }: Undo<{ userId: string }>): Promise<void> {
      await identity.removeProfile(userId, key);
    },

    /** A Stripe customer for a student, a connected account for a tutor. */
    async createAccount({ userId, role, key }: Step<{ userId: string; role: SignUpRole }>): Promise<void> {
      const user = await identity.getUser(userId);
      await payment.createAccount({ userId, role, email: user.email, name: nameOf(user) }, key);
    },

    async removeAccount({ userId, key }: Undo<{ userId: string }>): Promise<void> {
      await payment.removeAccount(userId, key);
    },

    /** The empty profile that the tutor completes later. */
    async createTutor({ userId, key }: Step<{ userId: string }>): Promise<void> {
      const user = await identity.getUser(userId);
      await tutoring.createTutor({ userId, displayName: nameOf(user), timeZone: user.timeZone }, key);
    },

    async removeTutor({ userId, key }: Undo<{ userId: string }>): Promise<void> {
      await tutoring.removeTutor(userId, key);
    },

    /** With them notification learns where the person is reached. */
    async createPreferences({ userId, key }: Step<{ userId: string }>): Promise<void> {
      await notification.createPreferences(await identity.getContact(userId), key);
    },

    async removePreferences({ userId, key }: Undo<{ userId: string }>): Promise<void> {
      await notification.removePreferences(userId, key);
    },

    async activateUser({ userId, key }: Step<{ userId: string }>): Promise<{ active: true }> {
      await identity.activateUser(userId, key);
      return { active: true };
    },

    /** One mail per `key`, which notification delivers while its link is good. Repeated, it holds the same link, because identity derives the token from the key. */
    async sendWelcome({ userId, key }: Step<{ userId: string }>): Promise<void> {
      // A provider may have said that the address is theirs.
      if ((await identity.getUser(userId)).emailVerified) {
        const data = { homeUrl: `${publicUrl}/` };
        await notices.record({ template: 'welcome', recipientId: userId, usefulUntil: null, data }, key);
        return;
      }
      const { token, expiresAt } = await identity.issueEmailVerification(userId, `${key}/token`);
      const verifyUrl = `${publicUrl}${VERIFICATION_PAGE}?token=${token}`;
      await notices.record(
        { template: 'welcome_verify_email', recipientId: userId, usefulUntil: expiresAt, data: { verifyUrl } },
        key,
      );
    },
  };
}

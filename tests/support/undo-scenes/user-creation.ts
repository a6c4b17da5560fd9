import { uuidv7 } from '../../../platform/ids';
import { identityContract as identity } from '../../../services/identity/contract';
import { storePendingUser } from '../../../services/identity/store/sign-up';
import { notificationContract as notification } from '../../../services/notification/contract';
import { paymentContract as payment } from '../../../services/payment/contract';
import { tutoringContract as tutoring } from '../../../services/tutoring/contract';
import { contactOf } from '../notifications';
import type { TestService } from '../service';
import type { Pair } from '../undo';
import { newUser, uniqueEmail } from '../users';

export const PAIRS: Record<string, Pair> = {
  'sign-up: registration': {
    step: null,
    undo: identity.removeUser,
    async prepare({ identity: service }) {
      const { id, db } = await registered(service);
      const left = () => db.sql`select id from users where id = ${id}`;
      return { service, key: `user:${id}/register`, does: {}, undoes: { params: { id } }, left };
    },
  },
  'sign-up: profile': {
    step: identity.createProfile,
    undo: identity.removeProfile,
    async prepare({ identity: service }) {
      const { id, db } = await registered(service);
      const left = () => db.sql`select user_id from user_profiles where user_id = ${id}`;
      return { service, key: `user:${id}/profile`, does: { params: { id } }, undoes: { params: { id } }, left };
    },
  },
  'sign-up: account of a student': accountOf('student'),
  'sign-up: account of a tutor': accountOf('tutor'),
  'sign-up: tutor': {
    step: tutoring.createTutor,
    undo: tutoring.removeTutor,
    async prepare({ tutoring: service }) {
      const userId = uuidv7();
      const { sql } = service.database;
      return {
        service,
        key: `user:${userId}/tutor`,
        does: { body: { userId, displayName: 'Tina', timeZone: 'UTC' } },
        undoes: { params: { id: userId } },
        left: async () => [
          ...(await sql`select id from tutor_profiles where id = ${userId}`),
          ...(await sql`select tutor_id from tutor_ratings where tutor_id = ${userId}`),
        ],
      };
    },
  },
  'sign-up: preferences': {
    step: notification.createPreferences,
    undo: notification.removePreferences,
    async prepare({ notification: service }) {
      const userId = uuidv7();
      const { sql } = service.database;
      const params = { userId };
      return {
        service,
        key: `user:${userId}/preferences`,
        does: { params, body: { contact: contactOf({ userId }) } },
        undoes: { params },
        left: async () => [
          ...(await sql`select user_id from notification_preferences where user_id = ${userId}`),
          ...(await sql`select user_id from contacts where user_id = ${userId}`),
        ],
      };
    },
  },
};

export const FORWARD_ONLY: Record<string, string> = {
  internalActivateUser: 'the pivot of sign-up',
  internalIssueEmailVerification: 'a token that ends by itself',
  recordNotification: 'what somebody was told stays told',
};

async function registered({ database: db }: TestService) {
  const { userId: id } = await storePendingUser(db.db, newUser(uniqueEmail()));
  return { id, db };
}

function accountOf(role: 'student' | 'tutor'): Pair {
  return {
    step: payment.createAccount,
    undo: payment.removeAccount,
    async prepare({ payment: service, atStripe }) {
      const userId = uuidv7();
      return {
        service,
        key: `user:${userId}/account`,
        does: { body: { userId, role, email: uniqueEmail(), name: 'Ada' } },
        undoes: { params: { userId } },
        async left() {
          const { customers, accounts } = await atStripe();
          const rows = service.database.sql`select stripe_id from stripe_accounts
            where user_id = ${userId} and stripe_id is not null`;
          const made = [...customers, ...accounts].filter(({ metadata }) => metadata.userId === userId);
          return [...made, ...(await rows)];
        },
      };
    },
  };
}

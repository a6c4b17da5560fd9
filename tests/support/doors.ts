import { DATABASE_CONTEXTS, type DatabaseContext } from '../../kernel/modules';
import { uuidv7 } from '../../platform/ids';

/** What of a service can be read by GET: an operation that needs a user's token, and one for the platform's own parts. */
interface Door {
  user: string;
  /** Undefined where the platform's own parts read nothing. */
  internal: string | undefined;
}

const DOOR_OF: Record<DatabaseContext, Door> = {
  identity: { user: '/api/auth/me', internal: `/internal/users/${uuidv7()}` },
  tutoring: { user: '/api/tutors/profile', internal: undefined },
  booking: { user: '/api/bookings', internal: `/internal/bookings/${uuidv7()}` },
  notification: { user: '/api/notifications', internal: undefined },
  payment: { user: `/api/payments/${uuidv7()}`, internal: `/internal/payments/${uuidv7()}` },
};

/** The doors of every service that takes tokens itself: all but the gateway, which hands them on. */
export const DOORS = DATABASE_CONTEXTS.map((context) => ({ context, ...DOOR_OF[context] }));

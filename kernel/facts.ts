import type { ContextName } from './modules';

/** How a context knows a fact that another one owns. */
type Known =
  /** By a consumer of its service that applies events to rows, or keeps them in memory. */
  | { by: 'bus'; consumer: string }
  /** By what stands in the access token of whoever asks. */
  | { by: 'token' }
  /** By an activity that asks its owner and hands it over, in the file that is named. */
  | { by: 'activity'; file: string };

interface Fact {
  /** What is known. */
  fact: string;
  /** The context that decides it. */
  owner: ContextName;
  users: readonly ({ context: ContextName } & Known)[];
}

const activity = (context: ContextName, file: string) => ({ context, by: 'activity', file }) as const;
const token = (context: ContextName) => ({ context, by: 'token' }) as const;

/**
 * What contexts know of each other, once: services never ask each other. A test holds this against the consumers that there are; what is known by
 * the bus may be a moment old, what an activity hands over is as it was asked for.
 */
export const FACTS: readonly Fact[] = [
  {
    fact: 'what a student is called today',
    owner: 'identity',
    users: [{ context: 'booking', by: 'bus', consumer: 'people' }],
  },
  {
    fact: 'what a person is called today, in which language they read and in which zone',
    owner: 'identity',
    users: [{ context: 'notification', by: 'bus', consumer: 'people' }],
  },
  {
    fact: 'whose address is known to be theirs',
    owner: 'identity',
    users: [{ context: 'notification', by: 'bus', consumer: 'verified-addresses' }],
  },
  {
    fact: 'by which address a person is reached',
    owner: 'identity',
    users: [
      activity('notification', 'activities/user-creation.ts'),
      activity('notification', 'activities/contacts.ts'),
      activity('notification', 'activities/email-change.ts'),
    ],
  },
  {
    fact: 'whose password was changed',
    owner: 'identity',
    users: [{ context: 'notification', by: 'bus', consumer: 'password-notices' }],
  },
  {
    fact: 'whose sign-in at a provider was linked or unlinked',
    owner: 'identity',
    users: [{ context: 'notification', by: 'bus', consumer: 'sign-in-notices' }],
  },
  {
    fact: 'whose second factor or passkey was set up or removed',
    owner: 'identity',
    users: [{ context: 'notification', by: 'bus', consumer: 'second-factor-notices' }],
  },
  {
    fact: 'who has another role',
    owner: 'identity',
    users: [{ context: 'notification', by: 'bus', consumer: 'role-notices' }],
  },
  {
    fact: 'which sessions of access tokens have ended',
    owner: 'identity',
    users: [{ context: 'gateway', by: 'bus', consumer: 'ended-sessions' }],
  },
  {
    fact: 'how a tutor was rated in each review',
    owner: 'tutoring',
    users: [{ context: 'tutoring', by: 'bus', consumer: 'ratings' }],
  },
  {
    fact: 'who asks, and in which role',
    owner: 'identity',
    users: [token('tutoring'), token('booking'), token('payment'), token('notification')],
  },
  {
    fact: 'names, addresses and languages of who takes part in a session, as they are when it is booked',
    owner: 'identity',
    users: [activity('booking', 'activities/booking.ts')],
  },
  {
    fact: 'what a session costs, and whether its tutor has time',
    owner: 'tutoring',
    users: [activity('booking', 'activities/booking.ts')],
  },
  {
    fact: 'what was paid for a session and given back',
    owner: 'payment',
    users: [activity('booking', 'activities/payment.ts')],
  },
];

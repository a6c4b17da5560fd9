import { randomBytes } from 'node:crypto';
import { uuidv7 } from '../../platform/ids';
import { updateIdOf } from '../../platform/temporal';
import { GRPC, isGrpc } from '../../platform/temporal-namespace';
import { eventually, type TestPlatform } from './platform';
import type { Reply } from './service';
import { ALWAYS } from './tutors';

export interface Person {
  id: string;
  token: string;
  email: string;
  firstName: string;
  lastName: string;
}

export interface Tutor extends Person {
  instant: boolean;
}

/** What a booking is asked for with. */
export interface Wish {
  student: Person;
  tutor: Person;
  /** ISO; default: an hour that no other booking of this marketplace has. */
  at?: string;
  card?: string;
  key?: string;
}

/** An hour's session with every tutor of a marketplace, and what the parties get of it. */
export const PRICE = 4_500;
const HOUR_MS = 3_600_000;
const PASSWORD = 'correct horse battery staple';

/** Gives one after another, and begins anew: nobody may have more than three bookings at once whose payment is not authorised. */
export function inTurn(people: readonly Person[]): () => Person {
  let given = 0;
  return () => {
    const next = people[given++ % people.length];
    if (!next) throw new Error('there is nobody whose turn it could be');
    return next;
  };
}

export type Marketplace = ReturnType<typeof createMarketplace>;

/** People of one test file and what they do, through the gateway. Their names occur nowhere else, so that one can search for them. */
export function createMarketplace({ ask, database, temporal }: TestPlatform) {
  const people: Person[] = [];
  // Full hours from three days ahead: a student's cancel gives everything back.
  const firstHour = Math.ceil(Date.now() / HOUR_MS) + 72;
  let hours = 0;

  const nextHour = () => new Date((firstHour + hours++) * HOUR_MS).toISOString();

  async function register(role: 'student' | 'tutor'): Promise<Person> {
    const mark = randomBytes(5).toString('hex');
    const named = { firstName: `Fn${mark}`, lastName: `Ln${mark}`, email: `${mark}@person.example` };
    const key = uuidv7();
    const { status, body } = await eventually('registering is answered', async () => {
      const reply = await ask('POST', '/api/auth/register', {
        key,
        body: { ...named, password: PASSWORD, role, timeZone: 'UTC' },
      });
      // As a good client does: asks again under the same key while it is told to.
      return reply.status !== 503 && reply;
    });
    if (status !== 201 && status !== 202) throw new Error(`register answered ${status}: ${JSON.stringify(body)}`);
    const token = body.tokens?.accessToken ?? (await logIn(named.email));
    const person = { id: String(body.user.id), token, ...named };
    people.push(person);
    return person;
  }

  /** A few at a time: every password is hashed at full cost. */
  async function several(role: 'student' | 'tutor', count: number): Promise<Person[]> {
    const made: Person[] = [];
    while (made.length < count) {
      const few = Array.from({ length: Math.min(8, count - made.length) }, () => register(role));
      made.push(...(await Promise.all(few)));
    }
    return made;
  }

  const logIn = (email: string): Promise<string> =>
    eventually('the account is active', async () => {
      const reply = await ask('POST', '/api/auth/login', { body: { email, password: PASSWORD } });
      return reply.status === 200 && reply.body.tokens.accessToken;
    });

  const command = (who: Person, method: string, path: string, body?: unknown, key?: string): Promise<Reply> =>
    ask(method, `/api/bookings/${path}`, { token: who.token, body, ...(key && { key }) });

  /** As a good client does: asks again under the same key while it is told to. */
  function patiently(who: Person, path: string, body: unknown, key = uuidv7(), method = 'POST'): Promise<Reply> {
    return eventually(
      `${path} is answered`,
      async () => {
        const reply = await command(who, method, path, body, key);
        const again = reply.status === 503 || reply.body?.code === 'idempotency_in_progress';
        return !again && reply;
      },
      120_000,
    );
  }

  const cancelPatiently = (who: Person, id: string, key?: string) =>
    patiently(who, `${id}/cancel`, { reason: 'Ill' }, key);

  return {
    people,
    /** Everybody's. */
    password: PASSWORD,
    nextHour,
    student: () => register('student'),

    students: (count: number): Promise<Person[]> => several('student', count),

    /** People who may be paid, and teach nothing. */
    payees: (count: number): Promise<Person[]> => several('tutor', count),

    /** A tutor who can be booked day and night. */
    async tutor({ instant }: { instant: boolean }): Promise<Tutor> {
      const person = await register('tutor');
      const put = async (method: string, path: string, body: unknown) => {
        const reply = await ask(method, path, { token: person.token, body });
        if (reply.status >= 300) throw new Error(`${path} answered ${reply.status}: ${JSON.stringify(reply.body)}`);
      };
      await put('POST', '/api/tutors/profile', {
        headline: 'Patient with numbers',
        biography: 'Twenty years of teaching.',
        subjects: ['Mathematics'],
        languages: ['en'],
        timeZone: 'UTC',
        instantBooking: instant,
      });
      await put('PUT', '/api/tutors/availability', { timeZone: 'UTC', weekly: ALWAYS, exceptions: [] });
      await put('PUT', '/api/tutors/pricing', {
        options: [{ kind: 'hourly', price: { amount: PRICE, currency: 'EUR' } }],
      });
      return { ...person, instant };
    },

    book({ student, tutor, at = nextHour(), card = 'pm_card_visa', key = uuidv7() }: Wish): Promise<Reply> {
      const body = {
        tutorId: tutor.id,
        subject: 'Mathematics',
        scheduledAt: at,
        durationMinutes: 60,
        paymentMethodId: card,
      };
      return ask('POST', '/api/bookings', { token: student.token, key, body });
    },

    read: (who: Person, id: string) => command(who, 'GET', id),
    cancel: (who: Person, id: string, key?: string) => command(who, 'POST', `${id}/cancel`, { reason: 'Ill' }, key),
    decline: (who: Person, id: string) => command(who, 'POST', `${id}/decline`, { reason: 'Fully booked' }),
    move: (who: Person, id: string, scheduledAt: string) => command(who, 'PATCH', id, { scheduledAt }),
    meetAt: (who: Person, id: string, meetingUrl: string) => command(who, 'PATCH', id, { meetingUrl }),

    confirm: (who: Person, id: string, key?: string) => command(who, 'POST', `${id}/confirm`, undefined, key),

    confirmPatiently: (who: Person, id: string, key?: string) => patiently(who, `${id}/confirm`, undefined, key),
    movePatiently: (who: Person, id: string, scheduledAt: string) =>
      patiently(who, id, { scheduledAt }, uuidv7(), 'PATCH'),
    cancelPatiently,

    /** Cancels. Resolves when Temporal holds the cancel for the saga, whether there is a worker or not. */
    async cancelHeld(who: Person, id: string): Promise<{ answered: Promise<Reply> }> {
      const key = uuidv7();
      const answered = cancelPatiently(who, id, key);
      answered.catch(() => undefined);
      const workflowExecution = { workflowId: `booking:${id}` };
      const updateRef = { workflowExecution, updateId: updateIdOf(who.id, `cancel:${id}`, key) };
      const { namespace } = temporal.options;
      await eventually('Temporal holds the cancel', () =>
        temporal.workflowService.pollWorkflowExecutionUpdate({ namespace, updateRef }).catch((error: unknown) => {
          if (isGrpc(error, GRPC.NOT_FOUND)) return undefined;
          throw error;
        }),
      );
      return { answered };
    },

    /** Waits until the row says so. */
    untilBooking: (id: string, ...statuses: string[]) =>
      eventually(
        `booking ${id} is ${statuses.join(' or ')}`,
        async () => {
          const [row] = await database('booking')<{ status: string }[]>`select status from bookings where id = ${id}`;
          return row !== undefined && statuses.includes(row.status) && row.status;
        },
        90_000,
      ),
  };
}

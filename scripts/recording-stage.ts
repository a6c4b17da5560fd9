import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { request } from 'undici';
import { z } from 'zod';

const PASSWORD = 'correct horse battery staple';
const SUBJECT = 'Mathematics';
const GIVE_UP_MS = 60_000;

const personSchema = z.looseObject({
  user: z.looseObject({ id: z.string() }),
  tokens: z.looseObject({ accessToken: z.string() }),
});
const moneySchema = z.looseObject({
  payment: z.looseObject({ id: z.string(), clientSecret: z.string().optional() }).nullable(),
});
const bookingSchema = z.looseObject({ id: z.string(), ...moneySchema.shape });
const pendingSchema = z.looseObject({ items: z.array(bookingSchema) });
export const paymentSchema = z.looseObject({ id: z.string(), clientSecret: z.string().optional() });
export const createdSchema = z.looseObject({ id: z.string() });
export const itemsSchema = z.looseObject({ items: z.array(createdSchema) });

export interface Person {
  id: string;
  token: string;
}

interface Ask {
  who?: Person;
  body?: unknown;
  /** Statuses that are as they should be. */
  expect?: number[];
}

export type Stage = ReturnType<typeof createStage>;

/** What the scenarios of `record-histories` play on: the platform's public API, Temporal and the Stripe sandbox. */
export function createStage(gateway: string, sandbox: string, client: Client) {
  async function call<T>(
    schema: z.ZodType<T>,
    method: 'GET' | 'POST' | 'PUT' | 'PATCH',
    url: string,
    ask: Ask,
  ): Promise<T> {
    const { who, body, expect = [200, 201] } = ask;
    const reply = await request(url, {
      method,
      headers: {
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(who && { authorization: `Bearer ${who.token}`, 'idempotency-key': randomUUID() }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await reply.body.text();
    if (!expect.includes(reply.statusCode)) {
      throw new Error(
        `${method} ${url} should answer ${expect.join(' or ')}, and answered ${reply.statusCode}: ${text}`,
      );
    }
    return schema.parse(text === '' ? undefined : JSON.parse(text));
  }

  const api = <T>(schema: z.ZodType<T>, method: 'GET' | 'POST' | 'PUT' | 'PATCH', path: string, ask: Ask = {}) =>
    call(schema, method, `${gateway}${path}`, ask);

  async function register(role: 'student' | 'tutor'): Promise<Person> {
    const body = {
      email: `${randomUUID()}@recording.example`,
      password: PASSWORD,
      role,
      firstName: 'Ada',
      lastName: 'King',
    };
    const { user, tokens } = await api(personSchema, 'POST', '/api/auth/register', { body });
    return { id: user.id, token: tokens.accessToken };
  }

  return {
    api,
    client,
    register,

    async tutor(instantBooking: boolean): Promise<Person> {
      const who = await register('tutor');
      const weekly = [1, 2, 3, 4, 5, 6, 7].map((weekday) => ({ weekday, from: '00:00', to: '24:00' }));
      const profile = { headline: 'Patient', biography: 'Patient.', subjects: [SUBJECT], languages: ['en'] };
      await api(z.unknown(), 'POST', '/api/tutors/profile', {
        who,
        body: { ...profile, timeZone: 'UTC', instantBooking },
      });
      await api(z.unknown(), 'PUT', '/api/tutors/availability', {
        who,
        body: { timeZone: 'UTC', weekly, exceptions: [] },
      });
      const options = [{ kind: 'hourly', price: { amount: 4_500, currency: 'EUR' } }];
      await api(z.unknown(), 'PUT', '/api/tutors/pricing', { who, body: { options } });
      return who;
    },

    /** Asks for a session of an hour, on the next full hour that is `hoursAhead` away. */
    book(student: Person, tutor: Person, options: { hoursAhead: number; card?: string; expect?: number[] }) {
      const { hoursAhead, card = 'pm_card_visa', expect = [201] } = options;
      const body = {
        tutorId: tutor.id,
        subject: SUBJECT,
        scheduledAt: fullHour(hoursAhead),
        durationMinutes: 60,
        paymentMethodId: card,
      };
      return api(
        z.looseObject({ id: z.string().optional(), bookingId: z.string().optional() }),
        'POST',
        '/api/bookings',
        { who: student, body, expect },
      ).then(({ id, bookingId = id }) => String(bookingId));
    },

    readBooking: (who: Person, id: string) => api(bookingSchema, 'GET', `/api/bookings/${id}`, { who }),

    /** The newest booking of the person. It is found while the request that makes it is still waiting. */
    latestBooking: async (who: Person) =>
      (await api(pendingSchema, 'GET', '/api/bookings?role=student&limit=1', { who })).items[0]?.id,

    /** Agrees or refuses, as a customer does on the page of the bank. */
    async threeDSecure(clientSecret: string | undefined, action: 'complete' | 'fail'): Promise<void> {
      const [intent] = String(clientSecret).split('_secret_');
      await call(z.unknown(), 'POST', `${sandbox}/sandbox/3ds/${intent}/${action}`, { expect: [200, 402] });
    },

    fault: (body: object) => call(z.unknown(), 'POST', `${sandbox}/sandbox/faults`, { body }),

    update: (workflowId: string, name: string, argument: unknown) =>
      client.workflow.getHandle(workflowId).executeUpdate(name, { args: [argument] }),

    /** Waits until the saga shows `state` and has nothing more to do for now: the history stops between two steps. */
    async settled(workflowId: string, state: string): Promise<void> {
      const handle = client.workflow.getHandle(workflowId);
      await until(`${workflowId} is ${state}`, async () => {
        const { searchAttributes, status } = await handle.describe();
        const ended = ['Completed', 'Compensated'].includes(state);
        return searchAttributes.SagaState?.[0] === state && (!ended || status.name === 'COMPLETED');
      });
      let length = -1;
      await until(`${workflowId} rests`, async () => {
        const { events } = await handle.fetchHistory();
        const busy =
          events?.at(-1)?.workflowTaskScheduledEventAttributes ?? events?.at(-1)?.workflowTaskStartedEventAttributes;
        const rests = !busy && events?.length === length;
        length = events?.length ?? -1;
        if (!rests) await pause(500);
        return rests;
      });
    },
  };
}

/** Polls until it is so. @throws Error naming what did not come */
export async function until(what: string, check: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + GIVE_UP_MS;
  while (!(await check())) {
    if (performance.now() > deadline) throw new Error(`It did not come to this within a minute: ${what}`);
    await pause(50);
  }
}

export function fullHour(hoursAhead: number): string {
  const at = new Date(Date.now() + hoursAhead * 3_600_000);
  at.setUTCMinutes(0, 0, 0);
  return at.toISOString();
}

import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { request } from 'undici';
import { z } from 'zod';
import { codeOf } from '../dev/machine/authenticator';
import type { OpenDatabases } from '../dev/stack/own-platform';
import type { RunningPlatform } from '../dev/stack/platform';

const PASSWORD = 'correct horse battery staple';
const SUBJECT = 'Mathematics';
const GIVE_UP_MS = 3 * 60_000;

const personSchema = z.looseObject({
  user: z.looseObject({ id: z.string() }),
  tokens: z.looseObject({ accessToken: z.string() }),
});
const challengedSchema = z.looseObject({ challenge: z.looseObject({ id: z.string() }) });
const meSchema = z.looseObject({ email: z.string() });
const moneySchema = z.looseObject({
  payment: z.looseObject({ id: z.string(), clientSecret: z.string().optional() }).nullable(),
});
const bookingSchema = z.looseObject({ id: z.string(), ...moneySchema.shape });
const pendingSchema = z.looseObject({ items: z.array(bookingSchema) });
export const paymentSchema = z.looseObject({ id: z.string(), clientSecret: z.string().optional() });
const stateSchema = z.looseObject({
  payment_intents: z.array(z.looseObject({ id: z.string(), metadata: z.record(z.string(), z.string()) })),
});
const chargesSchema = z.looseObject({
  charges: z.array(z.looseObject({ id: z.string(), payment_intent: z.string().nullish() })),
});
const disputesSchema = z.looseObject({ disputes: z.array(z.looseObject({ id: z.string(), status: z.string() })) });
const detailsSchema = z.looseObject({ currentDetails: z.string().default('') });
const accountsSchema = z.looseObject({
  accounts: z.array(
    z.looseObject({ id: z.string(), metadata: z.looseObject({ userId: z.string().optional() }).optional() }),
  ),
});
const payoutsSchema = z.looseObject({
  connected_payouts: z.record(z.string(), z.array(z.looseObject({ id: z.string() }))),
});
const mailsSchema = z.array(
  z.looseObject({ subject: z.string(), text: z.string(), to: z.array(z.looseObject({ address: z.string() })) }),
);
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

type SessionAsked = ({ hoursAhead: number } | { at: string }) & { card?: string; expect?: number[] };

export type Stage = ReturnType<typeof createStage>;

/**
 * What the scenarios of `record-histories` play on: the platform's public API, Temporal, the Stripe sandbox, and the platform's
 * processes, which can be taken away.
 */
export function createStage(
  gateway: string,
  sandbox: string,
  client: Client,
  processes: Pick<RunningPlatform, 'halt' | 'resume'>,
  own: { mailInbox: string; database: OpenDatabases['database']; makeAdmin: (email: string) => Promise<string> },
) {
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

  async function intentOf(paymentId: string): Promise<string> {
    const { payment_intents: intents } = await call(stateSchema, 'GET', `${sandbox}/sandbox/state`, {});
    return String(intents.find(({ metadata }) => metadata.paymentId === paymentId)?.id);
  }

  async function byHandAtStripe(path: string, asked: Record<string, string>): Promise<void> {
    const reply = await request(`${sandbox}/v1/${path}`, {
      method: 'POST',
      headers: { authorization: 'Bearer sk_test_recording', 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams(asked).toString(),
    });
    if (reply.statusCode !== 200) throw new Error(`Stripe answered ${reply.statusCode}: ${await reply.body.text()}`);
  }

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

    /** An administrator, signed in as one. */
    async admin(): Promise<Person> {
      const { email } = await api(meSchema, 'GET', '/api/auth/me', { who: await register('student') });
      const secret = await own.makeAdmin(email);
      const asked = await api(challengedSchema, 'POST', '/api/auth/login', {
        body: { email, password: PASSWORD },
        expect: [202],
      });
      const body = { challengeId: asked.challenge.id, code: codeOf(secret) };
      const { user, tokens } = await api(personSchema, 'POST', '/api/auth/login/challenge', { body });
      return { id: user.id, token: tokens.accessToken };
    },

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

    /** Asks for a session of an hour: `at` an instant, or on the next full hour that is `hoursAhead` away. */
    book(student: Person, tutor: Person, options: SessionAsked) {
      const { card = 'pm_card_visa', expect = [201] } = options;
      const body = {
        tutorId: tutor.id,
        subject: SUBJECT,
        scheduledAt: 'at' in options ? options.at : fullHour(options.hoursAhead),
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

    /** What a bank or Stripe decides about a connected account or its payout. */
    connect: (path: string, body: object) => call(z.unknown(), 'POST', `${sandbox}/sandbox/${path}`, { body }),

    /** The connected account of a person at Stripe. */
    async accountOf(who: Person): Promise<string> {
      const { accounts } = await call(accountsSchema, 'GET', `${sandbox}/sandbox/state`, {});
      return String(accounts.find(({ metadata }) => metadata?.userId === who.id)?.id);
    },

    /** The latest payout of a connected account at Stripe. */
    async payoutAtStripe(account: string): Promise<string> {
      const { connected_payouts: payouts } = await call(payoutsSchema, 'GET', `${sandbox}/sandbox/state`, {});
      return String(payouts[account]?.at(-1)?.id);
    },

    /** Has the holder of a card dispute a payment; its name at Stripe. */
    async dispute(paymentId: string, asked: object): Promise<string> {
      const intent = await intentOf(paymentId);
      const { charges } = await call(chargesSchema, 'GET', `${sandbox}/sandbox/state`, {});
      const charge = charges.find((one) => one.payment_intent === intent)?.id;
      const body = { charge, ...asked };
      return (await call(createdSchema, 'POST', `${sandbox}/sandbox/disputes`, { body })).id;
    },

    async disputeStatus(id: string): Promise<string | undefined> {
      const { disputes } = await call(disputesSchema, 'GET', `${sandbox}/sandbox/state`, {});
      return disputes.find((dispute) => dispute.id === id)?.status;
    },

    fault: (body: object) => call(z.unknown(), 'POST', `${sandbox}/sandbox/faults`, { body }),

    /** Gives a payment back by Stripe's dashboard, of which webhooks tell or not. */
    async refundAtStripe(paymentId: string, { webhooks }: { webhooks: 'sent' | 'lost' }): Promise<void> {
      if (webhooks === 'lost') await this.fault({ kind: 'webhook_lose', match: { type: '*' }, times: 2 });
      await byHandAtStripe('refunds', { payment_intent: await intentOf(paymentId) });
    },

    cancelAtStripe: async (paymentId: string) =>
      byHandAtStripe(`payment_intents/${await intentOf(paymentId)}/cancel`, {}),

    /** The platform's databases, where a story lets time pass. */
    database: own.database,

    /** The token of the link in the newest mail to `email` whose subject this is, once it is there. */
    async tokenIn(subject: string, email: string): Promise<string> {
      let token = '';
      await until(`the mail "${subject}" is there`, async () => {
        const mails = await call(mailsSchema, 'GET', `${own.mailInbox}/email`, {});
        const meant = mails.filter(
          (mail) => mail.subject === subject && mail.to.some(({ address }) => address === email),
        );
        token = /token=([\w-]+)/.exec(meant.at(-1)?.text ?? '')?.[1] ?? '';
        return token !== '';
      });
      return token;
    },

    /** Takes a process of the platform away while `work` runs. */
    async without(name: string, work: () => Promise<void>): Promise<void> {
      await processes.halt(name);
      try {
        await work();
      } finally {
        await processes.resume(name);
      }
    },

    stateOf: async (workflowId: string) =>
      (await client.workflow.getHandle(workflowId).describe()).searchAttributes.SagaState?.[0],

    /** The saga's sentence for operators, with what is stuck. */
    detailsOf: async (workflowId: string) =>
      detailsSchema.parse(await client.workflow.getHandle(workflowId).query('__temporal_workflow_metadata'))
        .currentDetails,

    runOf: async (workflowId: string) => (await client.workflow.getHandle(workflowId).describe()).runId,

    /** The recorded steps that the saga has asked for so far. */
    async scheduledOf(workflowId: string): Promise<string[]> {
      const { events = [] } = await client.workflow.getHandle(workflowId).fetchHistory();
      return (events ?? []).flatMap(({ activityTaskScheduledEventAttributes: step }) => step?.activityType?.name ?? []);
    },

    update: (workflowId: string, name: string, argument: unknown) =>
      client.workflow.getHandle(workflowId).executeUpdate(name, { args: [argument] }),

    /** Waits until the saga shows `state` and has nothing more to do for now: the history stops between two steps. */
    async settled(workflowId: string, state: string, withinMs?: number): Promise<void> {
      const handle = client.workflow.getHandle(workflowId);
      await until(
        `${workflowId} is ${state}`,
        async () => {
          const { searchAttributes, status } = await handle.describe();
          const ended = ['Completed', 'Compensated'].includes(state);
          return searchAttributes.SagaState?.[0] === state && (!ended || status.name === 'COMPLETED');
        },
        withinMs,
      );
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
export async function until(what: string, check: () => Promise<boolean>, withinMs = GIVE_UP_MS): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await check())) {
    if (performance.now() > deadline) throw new Error(`It did not come to this in time: ${what}`);
    await pause(50);
  }
}

export function fullHour(hoursAhead: number): string {
  const at = new Date(Date.now() + hoursAhead * 3_600_000);
  at.setUTCMinutes(0, 0, 0);
  return at.toISOString();
}

/** The next start of a session that is at least two minutes away. */
export function nextQuarter(): string {
  const quarter = 15 * 60_000;
  return new Date(Math.ceil((Date.now() + 120_000) / quarter) * quarter).toISOString();
}

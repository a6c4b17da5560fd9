import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf } from '../machine/authenticator';
import { ExpectationError, type Gateway } from './gateway';
import type { Timeline } from './timeline';
import { anything, challengedSchema, loggedInSchema, registeredSchema, slotsSchema } from './wire';

export interface Person {
  id: string;
  name: string;
  email: string;
  token: string;
}

export const SUBJECT = 'Mathematics';
export const HOURLY_PRICE = { amount: 4_800, currency: 'EUR' };

/** New in every run, and nobody's to know: one of these people is made an administrator, and stays one. */
const PASSWORD = randomBytes(18).toString('base64url');
const ACTIVE_WITHIN_MS = 60_000;

/** What the timeline calls somebody. */
export const firstName = ({ name }: Person) => name.split(' ')[0] ?? name;

/** Registers somebody and waits until the account is active. Addresses are new in every run. */
export async function register(
  gateway: Gateway,
  timeline: Timeline,
  who: { firstName: string; lastName: string; role: 'student' | 'tutor'; run: string },
): Promise<Person> {
  const { firstName, lastName, role, run } = who;
  const email = `${firstName}.${run}@demo.example`.toLowerCase();
  const name = `${firstName} ${lastName}`;
  const { body } = await gateway(timeline, registeredSchema, 'POST', '/api/auth/register', {
    body: { email, password: PASSWORD, role, firstName, lastName, timeZone: 'UTC' },
    expect: [201, 202],
    what: `${name} signs up as ${role}`,
    note: (reply) => registeredSchema.safeParse(reply).data?.user.id,
  });
  const token = body.tokens?.accessToken ?? (await logIn(gateway, timeline, email));
  return { id: body.user.id, name, email, token };
}

/** Tries to log in until it succeeds: the API answers 403 until the sign-up saga has made the account active. */
async function logIn(gateway: Gateway, timeline: Timeline, email: string): Promise<string> {
  timeline.aside('the account is still being set up');
  const deadline = performance.now() + ACTIVE_WITHIN_MS;
  while (performance.now() < deadline) {
    const reply = await gateway(timeline, loggedInSchema, 'POST', '/api/auth/login', {
      body: { email, password: PASSWORD },
      expect: [200, 403],
    });
    if (reply.body.tokens) return reply.body.tokens.accessToken;
    await sleep(2_000);
  }
  throw new ExpectationError(`The account of ${email} did not become active within a minute`);
}

/** The same person with the token of an administrator. `secret` is in their authenticator. */
export async function logInAsAdmin(
  gateway: Gateway,
  timeline: Timeline,
  person: Person,
  secret: string,
): Promise<Person> {
  const asked = await gateway(timeline, challengedSchema, 'POST', '/api/auth/login', {
    body: { email: person.email, password: PASSWORD },
    expect: [202],
    what: '  … logs in as one, and is asked for a second factor',
  });
  const { body } = await gateway(timeline, loggedInSchema, 'POST', '/api/auth/login/challenge', {
    body: { challengeId: asked.body.challenge.id, code: codeOf(secret) },
    expect: [200],
    what: '  … the code of her authenticator opens the session',
  });
  if (!body.tokens) throw new ExpectationError(`${person.name} got no token`);
  return { ...person, token: body.tokens.accessToken };
}

/** Makes a tutor bookable at any hour, so that the demo finds a slot whenever it is run. */
export async function openForBookings(
  gateway: Gateway,
  timeline: Timeline,
  tutor: Person,
  instantBooking: boolean,
): Promise<void> {
  const put = (method: 'POST' | 'PUT', path: string, body: unknown, status: number, what: string) =>
    gateway(timeline, anything, method, path, { token: tutor.token, body, expect: [status], what });
  const profile = {
    headline: 'Patient with numbers',
    biography: 'Twenty years of teaching, from fractions to functional analysis.',
    subjects: [SUBJECT],
    languages: ['en'],
    timeZone: 'UTC',
    instantBooking,
  };
  const confirms = instantBooking ? 'books instantly' : 'confirms each booking';
  await put('POST', '/api/tutors/profile', profile, 201, `${tutor.name} publishes a profile (${confirms})`);
  const weekly = [1, 2, 3, 4, 5, 6, 7].map((weekday) => ({ weekday, from: '00:00', to: '24:00' }));
  await put('PUT', '/api/tutors/availability', { timeZone: 'UTC', weekly, exceptions: [] }, 200, '  … working hours');
  const options = [{ kind: 'hourly', price: HOURLY_PRICE }];
  await put('PUT', '/api/tutors/pricing', { options }, 200, '  … and a price per hour');
}

/** The first free start of an hour's session with the tutor that is at least this many hours away. */
export async function freeSlot(
  gateway: Gateway,
  timeline: Timeline,
  tutor: Person,
  hoursAway: number,
): Promise<string> {
  const from = new Date(Date.now() + hoursAway * 3_600_000);
  const to = new Date(from.getTime() + 86_400_000);
  const query = new URLSearchParams({ from: from.toISOString(), to: to.toISOString(), durationMinutes: '60' });
  const { body } = await gateway(timeline, slotsSchema, 'GET', `/api/tutors/${tutor.id}/slots?${query}`, {
    expect: [200],
  });
  const [first] = body.items;
  if (!first) throw new ExpectationError(`${tutor.name} has no free slot`);
  return first.start;
}

/** Whether the tutor can be booked at this start. */
export async function isFree(gateway: Gateway, timeline: Timeline, tutor: Person, start: string): Promise<boolean> {
  const to = new Date(Date.parse(start) + 900_000).toISOString();
  const query = new URLSearchParams({ from: start, to, durationMinutes: '60' });
  const { body } = await gateway(timeline, slotsSchema, 'GET', `/api/tutors/${tutor.id}/slots?${query}`, {
    expect: [200],
  });
  return body.items.some((slot) => Date.parse(slot.start) === Date.parse(start));
}

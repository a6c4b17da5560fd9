import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf } from '../machine/authenticator';
import type { Call, Client, Reply } from './client';
import { challengedSchema, signedInSchema } from './wire';

/** Somebody with an account. */
export interface Person {
  id: string;
  email: string;
  firstName: string;
  lastName: string;
  role: 'student' | 'tutor';
  token: string;
  signedInAt: number;
  /** What they sign in with, where it is another one than everybody's. */
  password?: string;
  /** What is in the authenticator of who has one. */
  secret?: string;
}

export type Method = Parameters<Client['ask']>[0];

export const SUBJECT = 'Mathematics';
export const PASSWORD = 'correct horse battery staple';
const ASK_EVERY_MS = 1_000;
/** An account at Stripe is tried for ten minutes before the sign-up is undone. */
const ACTIVE_WITHIN_MS = 720_000;
const TOKEN_LIVES_MS = 14 * 60_000;

/** Under which address and names somebody signs up: no two people of all runs share them. */
export function namesOf(mark: string): Pick<Person, 'email' | 'firstName' | 'lastName'> {
  return { email: `${mark}@chaos.example`, firstName: `First${mark}`, lastName: `Last${mark}` };
}

/**
 * Signs somebody up as a person does on a failing network. A person whose answer was lost tries to log in. A person
 * whose account is still being made comes back later.
 * @throws Error when the account is not active within minutes; GaveUp
 */
export async function signUp(client: Client, role: Person['role'], mark: string): Promise<Person> {
  const who = { ...namesOf(mark), role };
  const { email } = who;
  const body = { ...who, password: PASSWORD, timeZone: 'UTC' };
  const deadline = performance.now() + ACTIVE_WITHIN_MS;
  for (let registered = false; performance.now() < deadline; ) {
    if (!registered) {
      const reply = await client.ask('POST', '/api/auth/register', { body });
      const person = personOf(reply, who);
      if (person) return person;
      if (reply.status !== 202 && reply.code !== 'email_taken') throw unexpected('sign-up', reply);
      registered = true;
    }
    const reply = await logIn(client, email);
    const person = personOf(reply, who);
    if (person) return person;
    // The sign-up was undone: the address is free again.
    if (reply.code === 'invalid_credentials') registered = false;
    else if (reply.code !== 'account_pending') throw unexpected('log-in', reply);
    await sleep(ASK_EVERY_MS);
  }
  throw new Error(`the account of ${email} was not active within ${ACTIVE_WITHIN_MS / 1_000} s`);
}

export function logIn(client: Client, email: string, password = PASSWORD): Promise<Reply> {
  return client.ask('POST', '/api/auth/login', { body: { email, password } });
}

function personOf(reply: Reply, who: Pick<Person, 'email' | 'role' | 'firstName' | 'lastName'>): Person | undefined {
  if (reply.status !== 200 && reply.status !== 201) return undefined;
  const { user, tokens } = signedInSchema.parse(reply.body);
  if (!tokens) throw unexpected('sign-up', reply);
  return { ...who, id: user.id, token: tokens.accessToken, signedInAt: performance.now() };
}

export const unexpected = (what: string, { status, code }: Reply) =>
  new Error(`${what} was answered ${status} ${code ?? ''}`.trim());

/**
 * Signs up an administrator: `grant` makes the account one, by its address, and gives the secret of its authenticator.
 * @throws as `signUp`
 */
export async function signUpAdmin(
  client: Client,
  mark: string,
  grant: (email: string) => Promise<string>,
): Promise<Person> {
  const person = await signUp(client, 'student', mark);
  const secret = await grant(person.email);
  const admin = personOf(await signIn(client, { ...person, secret }), person);
  if (!admin) throw new Error('An administrator could not log in');
  return { ...admin, secret };
}

/** Logs in, with a code of the authenticator where that is asked for. */
export async function signIn(client: Client, { email, password, secret }: Person): Promise<Reply> {
  for (const deadline = performance.now() + ACTIVE_WITHIN_MS; ; ) {
    const reply = await logIn(client, email, password);
    if (reply.status !== 202 || secret === undefined) return reply;
    const code = codeOf(secret);
    const challengeId = challengedSchema.parse(reply.body).challenge.id;
    const signedIn = await client.ask('POST', '/api/auth/login/challenge', { body: { challengeId, code } });
    if (signedIn.code !== 'invalid_credentials' || performance.now() > deadline) return signedIn;
    // An answer was lost, and its code is spent: the next one is half a minute away at most.
    while (codeOf(secret) === code) await sleep(ASK_EVERY_MS);
  }
}

/** Makes a tutor bookable day and night. */
export async function openForBookings(
  client: Client,
  tutor: Person,
  offer: { hourly: number; instant: boolean },
): Promise<void> {
  const put = async (method: Method, path: string, body: unknown, ...expected: string[]) => {
    const reply = await askAs(client, tutor, method, path, { body });
    if (reply.status >= 300 && !expected.includes(reply.code ?? '')) throw unexpected(path, reply);
  };
  const words = { headline: 'Patient with numbers', biography: 'Twenty years of teaching.' };
  const profile = { ...words, subjects: [SUBJECT], languages: ['en'], timeZone: 'UTC', instantBooking: offer.instant };
  await put('POST', '/api/tutors/profile', profile, 'profile_exists');
  const weekly = [1, 2, 3, 4, 5, 6, 7].map((weekday) => ({ weekday, from: '00:00', to: '24:00' }));
  await put('PUT', '/api/tutors/availability', { timeZone: 'UTC', weekly, exceptions: [] });
  const options = [{ kind: 'hourly', price: { amount: offer.hourly, currency: 'EUR' } }];
  await put('PUT', '/api/tutors/pricing', { options });
}

/** Asks with somebody's token, and with a new one when the token has expired. */
export async function askAs(
  client: Client,
  who: Person,
  method: Method,
  path: string,
  call: Call = {},
): Promise<Reply> {
  const reply = await client.ask(method, path, { ...call, token: who.token });
  if (reply.status !== 401) return reply;
  if (performance.now() - who.signedInAt < TOKEN_LIVES_MS) client.offences.push('a good token was answered 401');
  const again = personOf(await signIn(client, who), who);
  if (!again) return reply;
  Object.assign(who, { token: again.token, signedInAt: again.signedInAt });
  return client.ask(method, path, { ...call, token: who.token });
}

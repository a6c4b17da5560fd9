import { randomUUID } from 'node:crypto';
import { openDatabase } from '../db/client';
import { uuidv7 } from '../platform/ids';
import { createKeyring } from '../services/identity/keyring';
import { createPaymentClient } from '../services/payment/client';
import { createTutoringClient } from '../services/tutoring/client';
import { SUBJECT } from './order';
import { inParallel } from './parallel';
import type { Stack } from './stack';

/** Who books and is booked in one stack. */
export interface People {
  students: string[];
  /** Tutors who take bookings at once, day and night. */
  tutors: string[];
  /**
   * An access token of this person, as identity would give it at a login. The token is signed anew before it expires.
   */
  token(userId: string, role: 'student' | 'tutor'): Promise<string>;
  close(): Promise<void>;
}

const ALWAYS = [1, 2, 3, 4, 5, 6, 7].map((weekday) => ({ weekday, from: '00:00', to: '24:00' }));
export const PRICE = 4_500;
const TOKEN_FRESH_MS = 10 * 60_000;
/** A statement takes 65,535 values at most. */
const ROWS_AT_ONCE = 5_000;

/**
 * Makes people. Users are written into identity's tables, because hashing a password takes a tenth of a second on
 * purpose. Everything else is made by the services' own endpoints, as sign-up and the tutors themselves would.
 */
export async function makePeople(stack: Stack, counts: { students: number; tutors: number }): Promise<People> {
  const { config } = stack.platform;
  const database = openDatabase(config.databaseUrl.identity ?? stack.platform.environment.IDENTITY_DATABASE_URL ?? '', {
    poolSize: 2,
    applicationName: 'bench',
  });
  const keyring = createKeyring({ config, database });
  const tokens = new Map<string, { token: string; until: number }>();
  const token = async (userId: string, role: 'student' | 'tutor') => {
    const known = tokens.get(userId);
    if (known && known.until > Date.now()) return known.token;
    const { accessToken } = await keyring.sign({ id: userId, role, sessionId: randomUUID(), amr: ['pwd'] });
    tokens.set(userId, { token: accessToken, until: Date.now() + TOKEN_FRESH_MS });
    return accessToken;
  };
  const payment = stack.clients.clientOf('payment', createPaymentClient);
  const tutoring = stack.clients.clientOf('tutoring', createTutoringClient);
  const students = await makeUsers(stack, 'student', counts.students);
  const tutors = await makeUsers(stack, 'tutor', counts.tutors);
  await inParallel(8, students, async (userId) => {
    const email = `${userId}@person.example`;
    await payment.createAccount(
      {
        userId,
        role: 'student',
        email,
        name: userId,
      },
      `user:${userId}/account`,
    );
  });
  await inParallel(8, tutors, async (userId) => {
    await tutoring.createTutor(
      { userId, displayName: `Tutor ${userId}`, timeZone: 'UTC' },
      `user:${userId}/tutor-profile`,
    );
    const own = await token(userId, 'tutor');
    const put = async (method: string, path: string, body: unknown) => {
      const headers = { authorization: `Bearer ${own}`, 'content-type': 'application/json' };
      const reply = await fetch(`${stack.platform.urls.gateway}${path}`, {
        method,
        headers,
        body: JSON.stringify(body),
      });
      if (!reply.ok) throw new Error(`${path} answered ${reply.status}: ${await reply.text()}`);
    };
    await put('POST', '/api/tutors/profile', {
      headline: 'Patient with numbers',
      biography: 'Twenty years of teaching.',
      subjects: [SUBJECT],
      languages: ['en'],
      timeZone: 'UTC',
      instantBooking: true,
    });
    await put('PUT', '/api/tutors/availability', { timeZone: 'UTC', weekly: ALWAYS, exceptions: [] });
    await put('PUT', '/api/tutors/pricing', {
      options: [{ kind: 'hourly', price: { amount: PRICE, currency: 'EUR' } }],
    });
  });
  return { students, tutors, token, close: () => database.close() };
}

/** Writes active users with their profiles into identity's tables; nobody is told of them. @returns their ids */
export async function makeUsers(stack: Stack, role: 'student' | 'tutor', count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, () => uuidv7());
  const sql = stack.database('identity');
  const now = new Date();
  const users = ids.map((id) => ({
    id,
    email: `${id}@person.example`,
    password_hash: 'nobody logs in with this',
    role,
    status: 'active',
    attempt_id: id,
    attempt_until: now,
    saga_started_at: now,
  }));
  const profiles = ids.map((id, index) => ({
    user_id: id,
    first_name: role,
    last_name: `Number ${index}`,
    time_zone: 'UTC',
    locale: 'en',
  }));
  for (let from = 0; from < count; from += ROWS_AT_ONCE) {
    await sql`insert into users ${sql(users.slice(from, from + ROWS_AT_ONCE))}`;
    await sql`insert into user_profiles ${sql(profiles.slice(from, from + ROWS_AT_ONCE))}`;
  }
  return ids;
}

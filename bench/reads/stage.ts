import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Sql } from 'postgres';
import { NO_LIMITS, openDatabases, ownSettings } from '../../dev/stack/own-platform';
import { type RunningPlatform, startPlatform } from '../../dev/stack/platform';
import { type Child, startChild } from '../child';

/** People who sign up by the API, so that they can log in; the load is theirs. One for each client. */
export const READERS = 64;
const PASSWORD = 'correct horse battery staple';

export interface Reader {
  id: string;
  email: string;
}

export interface ReadStage {
  platform: RunningPlatform;
  gateway: string;
  /** The server of `floor.ts`. */
  floor: Child;
  /** Where the seeded data stay from run to run. */
  dataDir: string;
  /** A connection pool of a context's database, as its own role. */
  database(context: 'identity' | 'tutoring' | 'booking'): Sql;
  stop(): Promise<void>;
}

/**
 * The whole platform as `npm start` runs it, on free ports and in a folder that stays (`BENCH_DATA_DIR`, else one under the system's
 * temporary one), so that the bookings need not be made each time. Requests are counted as in production,
 * with a limit that the load does not reach; logins and sign-ups are not limited. `settings` come on top.
 */
export async function openStage(
  bookings: number,
  settings: Record<string, string>,
  say: (line: string) => void,
): Promise<ReadStage> {
  const dataDir = process.env.BENCH_DATA_DIR ?? join(tmpdir(), `tutorconnect-bench-reads-${bookings}`);
  const platform = await startPlatform({
    settings: {
      ...(await ownSettings()),
      ...NO_LIMITS,
      DATA_DIR: dataDir,
      LOG_LEVEL: 'error',
      RATE_LIMIT_API: '1000000',
      ...settings,
    },
    envFile: 'no-env-file-here',
    say,
  });
  const databases = openDatabases(platform, { max: 4, statementTimeoutMs: 0 });
  const stop = async () => {
    await databases.close();
    await platform.stop();
  };
  const env = { PATH: process.env.PATH, BENCH_DATABASE_URL: platform.environment.BOOKING_DATABASE_URL };
  const floor = await startChild('reads/floor.js', [], { env }).catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  return {
    platform,
    floor,
    dataDir,
    gateway: platform.urls.gateway,
    database: databases.database,
    async stop() {
      await floor.stop();
      await stop();
    },
  };
}

/** The students who read; those who are missing sign up by the API. */
export async function readers(stage: ReadStage): Promise<Reader[]> {
  const sql = stage.database('identity');
  const find = () => sql<Reader[]>`
    select id, email from users where email like 'reader-%@bench.example' and status = 'active' order by email`;
  const there = new Set((await find()).map(({ email }) => email));
  const missing = Array.from({ length: READERS }, (_, index) => emailOf(index)).filter((email) => !there.has(email));
  for (let from = 0; from < missing.length; from += 8) {
    await Promise.all(missing.slice(from, from + 8).map((email) => signUp(stage.gateway, email)));
  }
  return find();
}

const emailOf = (index: number) => `reader-${String(index).padStart(3, '0')}@bench.example`;

async function signUp(gateway: string, email: string): Promise<void> {
  const body = { email, password: PASSWORD, role: 'student', firstName: 'Rita', lastName: 'Reader', timeZone: 'UTC' };
  const { status } = await post(`${gateway}/api/auth/register`, body);
  if (status !== 201 && status !== 202) throw new Error(`${email} could not sign up: ${status}`);
}

/** An access token, good for 15 minutes. @throws Error when the reader cannot log in */
export async function logIn(gateway: string, { email }: Reader): Promise<string> {
  const { status, text } = await post(`${gateway}/api/auth/login`, { email, password: PASSWORD });
  const token = /"accessToken":"([^"]+)"/.exec(text)?.[1];
  if (status !== 200 || !token) throw new Error(`${email} could not log in: ${status}`);
  return token;
}

async function post(url: string, body: unknown): Promise<{ status: number; text: string }> {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  return { status: response.status, text: await response.text() };
}

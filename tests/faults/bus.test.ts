import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { type DatabaseClient, openDatabase } from '../../db/client';
import { ensureDatabase, migrateDatabase } from '../../db/migrate';
import { busUrl, ownerUrl } from '../../db/roles';
import { compiledPath } from '../../dev/machine/paths';
import { freePortSettings } from '../../dev/machine/ports';
import { startThrowawayPostgres } from '../../dev/postgres/throwaway';
import { buildOnce } from '../../dev/processes/build-once';
import { openReader, type Reading } from '../../platform/bus/postgres';
import { rebuild } from '../../platform/bus/rebuild';
import { LEASE_SECONDS } from '../../platform/bus/transport';
import { uuidv7 } from '../../platform/ids';
import { createLogger } from '../../platform/telemetry';
import { ratingsProjection, receiveReview } from '../../services/tutoring/store/ratings';
import { readAll } from '../support/bus';
import { until } from '../support/gateway';

// Relay and consumer run in each replica of a service. Here the replicas are killed and put to sleep at random while reviews come in.

jest.setTimeout(240_000);

const SECRET = randomBytes(32).toString('base64url');
const REPLICAS = 3;
const REVIEWS = 3_000;
const TOPIC = 'tutoring.events';
const tutors = Array.from({ length: 5 }, uuidv7);

let server: Awaited<ReturnType<typeof startThrowawayPostgres>>;
let tutoring: DatabaseClient;
let bus: Reading;
const replicas: ChildProcess[] = [];

beforeAll(async () => {
  await buildOnce();
  server = await startThrowawayPostgres();
  for (const owner of ['bus', 'tutoring'] as const) {
    await ensureDatabase(server.url, owner, SECRET);
    await migrateDatabase(ownerUrl(server.url, owner, SECRET), owner);
  }
  tutoring = openDatabase(ownerUrl(server.url, 'tutoring', SECRET), { poolSize: 4, applicationName: 'test' });
  bus = openReader(busUrl(server.url, 'bus_reader', SECRET), 'test', createLogger('test', 'silent'));
  for (const id of tutors)
    await tutoring.sql`insert into tutor_profiles (id, display_name, time_zone) values (${id}, 'Tina', 'UTC')`;
});
afterAll(async () => {
  for (const child of replicas) child.kill('SIGKILL');
  bus?.stopWaiting();
  await Promise.all([tutoring?.close(), bus?.close()]);
  await server?.stop();
});

async function startReplica(n: number): Promise<void> {
  const child = spawn(process.execPath, [compiledPath('main.js'), 'tutoring'], {
    cwd: '/',
    env: {
      ...{ PATH: process.env.PATH ?? '', ...(await freePortSettings()), LOG_LEVEL: 'warn' },
      ...{ SERVICE_TOKEN_SECRET: SECRET, DATABASE_URL: server.url, DATABASE_ROLE_SECRET: SECRET },
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  replicas[n] = child;
  await new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => line === 'ready' && resolve());
    child.once('close', () => reject(new Error(`replica ${n} ended before it was ready`)));
  }).catch((error: unknown) => {
    if (child.signalCode !== 'SIGKILL') throw error;
  });
}

/** The same numbers for a seed, between 0 and 1. */
function drawn(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
    return state / 2 ** 32;
  };
}

test('killed and put to sleep at random, relays and consumers lose nothing, double nothing and keep the order', async () => {
  await Promise.all(Array.from({ length: REPLICAS }, (_, n) => startReplica(n)));
  const written = new Map<string, number[]>(tutors.map((id) => [id, []]));
  let writing = true;
  async function write(): Promise<void> {
    for (let n = 0; n < REVIEWS; n++) {
      const tutorId = tutors[n % tutors.length] ?? '';
      const rating = (n % 5) + 1;
      await receiveReview(tutoring.db, undefined, { tutorId, reviewId: uuidv7(), rating });
      written.get(tutorId)?.push(rating);
      await sleep(5);
    }
    writing = false;
  }
  const draw = drawn(20261129);
  let [kills, sleeps] = [0, 0];
  async function trouble(): Promise<void> {
    while (writing) {
      const n = Math.floor(draw() * REPLICAS);
      const child = replicas[n];
      if (draw() < 0.5) {
        child?.kill('SIGKILL');
        kills += 1;
        await startReplica(n);
      } else {
        // Now and then for longer than its lease, so that another relay takes over.
        child?.kill('SIGSTOP');
        sleeps += 1;
        await sleep(draw() * LEASE_SECONDS * 1.5 * 1_000);
        child?.kill('SIGCONT');
      }
    }
  }
  await Promise.all([write(), trouble()]);
  expect(kills).toBeGreaterThan(2);
  expect(sleeps).toBeGreaterThan(2);
  await until(async () => (await tutoring.sql`select 1 from events where published_at is null`).length === 0, 60_000);
  const told = await readAll(bus, TOPIC, null, 500);
  expect(told.map(({ event }) => event.id).toSorted()).toEqual(
    (await tutoring.sql`select event_id as id from events`).map(({ id }) => id).toSorted(),
  );
  const [topic] = await bus.topics();
  expect(topic).toMatchObject({ topic: TOPIC, appended: REVIEWS });
  const counted = async () => Number((await tutoring.sql`select sum(count) as count from tutor_ratings`)[0]?.count);
  await until(async () => (await counted()) >= REVIEWS, 60_000);
  const rows = await tutoring.sql`select tutor_id, count, total from tutor_ratings`;
  for (const [tutorId, ratings] of written) {
    const row = rows.find(({ tutor_id }) => tutor_id === tutorId);
    const total = ratings.reduce((sum, rating) => sum + rating, 0);
    expect([tutorId, row?.count, row?.total]).toEqual([tutorId, ratings.length, total]);
  }
  const own = openDatabase(ownerUrl(server.url, 'tutoring', SECRET), { poolSize: 1, applicationName: 'rebuild' });
  expect(await rebuild(own.db, bus, ratingsProjection, { replace: false })).toEqual({
    ...{ events: REVIEWS, different: { tutor_ratings: 0 }, behind: 0 },
  });
  await own.close();
});

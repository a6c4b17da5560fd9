import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type DatabaseClient, openDatabase } from '../db/client';
import { ownerUrl } from '../db/roles';
import { compiledPath } from '../dev/machine/paths';
import { prepareDatabases } from '../dev/postgres/databases';
import { startThrowawayPostgres } from '../dev/postgres/throwaway';
import { buildOnce } from '../dev/processes/build-once';
import { uuidv7 } from '../platform/ids';

// The operator's command as it is run, against databases as they are installed.

jest.setTimeout(120_000);

const SECRET = randomBytes(32).toString('base64url');
let server: Awaited<ReturnType<typeof startThrowawayPostgres>>;
let booking: DatabaseClient;
let bus: DatabaseClient;
const folder = mkdtempSync(join(tmpdir(), 'tutorconnect-ops-'));

beforeAll(async () => {
  await buildOnce();
  server = await startThrowawayPostgres();
  const given = { databaseUrl: {}, busUrl: {}, serverUrl: server.url, embedded: false, roleSecret: SECRET };
  await prepareDatabases({ ...given, say: () => undefined });
  const open = (owner: 'booking' | 'bus') =>
    openDatabase(ownerUrl(server.url, owner, SECRET), { poolSize: 1, applicationName: 'test' });
  [booking, bus] = [open('booking'), open('bus')];
});
afterAll(async () => {
  await Promise.all([booking?.close(), bus?.close()]);
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function ops(...args: string[]): Promise<{ code: number; said: string; complained: string }> {
  const env = {
    ...{ PATH: process.env.PATH ?? '', DATA_DIR: folder, DATABASE_URL: server.url, DATABASE_ROLE_SECRET: SECRET },
    SERVICE_TOKEN_SECRET: SECRET,
  };
  return promisify(execFile)(process.execPath, [compiledPath('scripts/ops-bus.js'), ...args], {
    cwd: folder,
    env,
  }).then(
    ({ stdout, stderr }) => ({ code: 0, said: stdout, complained: stderr }),
    ({ code, stdout, stderr }) => ({ code, said: stdout, complained: stderr }),
  );
}

/** The cells of a line of a table that is printed. */
const cells = (said: string, of: string) =>
  said
    .split('\n')
    .map((line) => line.split('│').map((cell) => cell.trim()))
    .find((line) => line.includes(of))
    ?.filter(Boolean);

/** A person on the bus of whom booking's projection has a dead event. */
async function deadPerson(): Promise<{ id: number; userId: string }> {
  const userId = uuidv7();
  await bus.sql`insert into topics (name) values ('identity.people') on conflict do nothing`;
  const [topic] =
    await bus.sql`update topics set next_offset = next_offset + 1 where name = 'identity.people' returning next_offset`;
  const offset = Number(topic?.next_offset) - 1;
  await bus.sql`
    insert into messages (topic, "offset", event_id, stream_id, version, type, data, keyed, occurred_at, appended_at)
    values ('identity.people', ${offset}, ${uuidv7()}, ${userId}, 1, 'Person', '{"displayName": "Ada"}', true, now(), now())`;
  await booking.sql`insert into consumer_cursors (consumer, topic, cursor) values ('people', 'identity.people', ${`pg${offset}`})
    on conflict (consumer) do update set cursor = excluded.cursor`;
  const [row] = await booking.sql`
    insert into parked_events (consumer, cursor, event_id, stream_id, version, type, tries, error, dead_at)
    values ('people', ${`pg${offset}`}, ${uuidv7()}, ${userId}, 1, 'Person', 10, 'TypeError', now()) returning id`;
  return { id: Number(row?.id), userId };
}

test('topics, outboxes, consumers and dead events are shown', async () => {
  await booking.sql`insert into events (event_id, stream_id, version, type, data) values (${uuidv7()}, 's', 1, 'Happened', '{}')`;
  const { id, userId } = await deadPerson();
  const { code, said } = await ops();
  expect(code).toBe(0);
  expect(cells(said, 'identity.people')?.slice(0, 2)).toEqual(['identity.people', '1']);
  expect(cells(said, 'booking')?.slice(0, 2)).toEqual(['booking', '1']);
  expect(cells(said, 'booking people')).toEqual(['booking people', 'identity.people', '0', '0', '1', '0']);
  expect(cells(said, `booking ${id}`)?.slice(0, 5)).toEqual([
    `booking ${id}`,
    'people',
    'Person',
    `${userId} 1`,
    'TypeError',
  ]);
});

test('a dead event is tried again, or skipped for a reason, and never without one', async () => {
  const [first, second] = [await deadPerson(), await deadPerson()];
  expect(await ops('retry', 'booking', String(first.id))).toMatchObject({
    code: 0,
    said: expect.stringContaining('tried again'),
  });
  expect(await ops('skip', 'booking', String(second.id))).toMatchObject({
    code: 1,
    complained: expect.stringContaining('--reason'),
  });
  expect(await ops('skip', 'booking', String(second.id), '--reason', 'of', 'a', 'bug')).toMatchObject({ code: 0 });
  const rows =
    await booking.sql`select id, tries, dead_at, skip_reason from parked_events where id in (${first.id}, ${second.id}) order by id`;
  expect(rows.map(({ tries, dead_at, skip_reason }) => [tries, dead_at === null, skip_reason])).toEqual([
    [0, true, null],
    [10, false, 'of a bug'],
  ]);
  for (const { id } of [first, second])
    expect(await ops('retry', 'booking', String(id))).toMatchObject({
      ...{ code: 1, complained: `booking has no dead event ${id}; npm run ops:bus shows them\n` },
    });
});

test('a projection is compared with its events, and takes what they say', async () => {
  await booking.sql`delete from parked_events`;
  expect((await ops('compare', 'booking', 'people')).said).toMatch(/people: 3 rows differ/);
  expect((await ops('rebuild', 'booking', 'people')).said).toMatch(/The new rows have taken their place/);
  expect((await ops('compare', 'booking', 'people')).said).toMatch(/people: 0 rows differ/);
  expect(await booking.sql`select 1 from people`).toHaveLength(3);
});

test.each([
  [['retry', 'bookings', '1'], 'There is no context bookings'],
  [['retry', 'booking', 'x'], 'x is no id of a dead event'],
  [['skip', 'booking', '1', '--reason'], 'npm run ops:bus -- skip'],
  [['compare', 'booking', 'ratings'], 'booking has no projection ratings; it has people'],
  [['rebuild', 'payment', 'people'], 'payment has no projection people; it has none'],
  [['drop'], 'npm run ops:bus'],
])('%j is refused with what there is', async (args, complaint) => {
  const { code, complained } = await ops(...args);
  expect([code, complained]).toEqual([1, expect.stringContaining(complaint)]);
});

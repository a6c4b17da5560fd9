import { PassThrough } from 'node:stream';
import { openDatabase } from '../db/client';
import { idempotencyKeys } from '../db/schema/platform';
import { createTestDatabase, type TestDatabase } from '../tests/support/database';
import { announce, announcing, type Changes, createChanges } from './changes';
import { uuidv7 } from './ids';
import { createLogger } from './telemetry';

let database: TestDatabase;
let changes: Changes;
const quiet = createLogger('test', 'silent');

beforeAll(async () => {
  database = await createTestDatabase('notification');
});
afterAll(() => database.drop());
beforeEach(() => {
  changes = createChanges(database, quiet);
});
afterEach(() => changes.close());

const inAMinute = () => Date.now() + 60_000;
const tell = (...ids: string[]) =>
  database.db.transaction(async (tx) => {
    for (const id of ids) await announce(tx, id);
  });

/** A row that is read, with who reads it: `reads` counts, `seen(n)` resolves once it was read n times. */
function thing(value = 'before') {
  const callbacks: (() => void)[] = [];
  const row = {
    value,
    reads: 0,
    read: async () => {
      const now = row.value;
      row.reads += 1;
      for (const callback of callbacks) callback();
      return now;
    },
    seen: (times: number) =>
      new Promise<void>((resolve) => {
        const check = () => row.reads >= times && resolve();
        callbacks.push(check);
        check();
      }),
    isDone: (read: string) => read === 'after',
  };
  return row;
}

/** The connection that listens in this database, once there is one other than `not`. */
async function listener(not?: number): Promise<number> {
  for (;;) {
    const [row] = await database.sql<{ pid: number }[]>`
      select pid from pg_stat_activity
      where datname = current_database() and query ilike 'listen%' and wait_event = 'ClientRead'`;
    if (row && row.pid !== not) return row.pid;
  }
}

describe('where nobody looks by themselves', () => {
  // So only an announcement can wake those who wait.
  beforeEach(() => {
    changes = createChanges(database, quiet, 3_600_000);
  });

  test('an announcement wakes all who wait for that thing, and nobody else', async () => {
    const [one, other] = [thing(), thing()];
    const id = uuidv7();
    const waiting = [1, 2, 3].map(() => changes.until(id, inAMinute(), one.read, one.isDone));
    const elsewhere = changes.until(uuidv7(), inAMinute(), other.read, other.isDone);
    await listener();
    const before = other.reads;
    one.value = 'after';
    await tell(id);
    expect(await Promise.all(waiting)).toEqual(['after', 'after', 'after']);
    expect(other.reads).toBeLessThanOrEqual(before + 1); // once more when the connection began to listen
    changes.close();
    expect(await elsewhere).toBe('before');
  });

  test('so does one in the RETURNING of the statement that made the change', async () => {
    const id = uuidv7();
    const row = thing();
    const waiting = changes.until(id, inAMinute(), row.read, row.isDone);
    await listener();
    await row.seen(1);
    row.value = 'after';
    const key = { owner: 'service', key: id, fingerprint: 'f', resourceId: id };
    await database.db.insert(idempotencyKeys).values(key).returning(announcing(id));
    expect(await waiting).toBe('after');
  });

  test('a change between the read and the wait is not missed', async () => {
    await changes.until(uuidv7(), 0, async () => 0, Boolean);
    await listener();
    const row = thing();
    const id = uuidv7();
    let first = true;
    const read = async () => {
      const seen = await row.read();
      if (!first) return seen;
      first = false;
      row.value = 'after';
      await tell(id);
      await heard();
      return seen;
    };
    expect(await changes.until(id, inAMinute(), read, row.isDone)).toBe('after');
  });

  /** Resolves when the listening connection has delivered whatever was announced before. */
  async function heard(): Promise<void> {
    const row = thing();
    const id = uuidv7();
    const delivered = changes.until(id, inAMinute(), row.read, row.isDone);
    await row.seen(1);
    row.value = 'after';
    await tell(id);
    await delivered;
  }

  test('nothing is told before the commit, and nothing of what was rolled back', async () => {
    const row = thing();
    const id = uuidv7();
    const waiting = changes.until(id, inAMinute(), row.read, row.isDone);
    await listener();
    await row.seen(2); // the second is of the connection that began to listen
    await database.db
      .transaction(async (tx) => {
        await announce(tx, id);
        throw new Error('rolled back');
      })
      .catch(() => undefined);
    await heard();
    expect(row.reads).toBe(2);
    row.value = 'after';
    await tell(id);
    expect(await waiting).toBe('after');
  });

  test('closing has everybody take what there is, and nobody wait from then on', async () => {
    const row = thing();
    const waiting = [1, 2].map(() => changes.until(uuidv7(), inAMinute(), row.read, row.isDone));
    await row.seen(2);
    changes.close();
    expect(await Promise.all(waiting)).toEqual(['before', 'before']);
    expect(await changes.until(uuidv7(), inAMinute(), row.read, row.isDone)).toBe('before');
  });
});

test('what is done already is told at once; one read is enough', async () => {
  const row = thing('after');
  expect(await changes.until(uuidv7(), inAMinute(), row.read, row.isDone)).toBe('after');
  expect(row.reads).toBe(1);
});

test('at the deadline what there is is the answer', async () => {
  const row = thing();
  const deadline = Date.now() + 50;
  expect(await changes.until(uuidv7(), deadline, row.read, row.isDone)).toBe('before');
  expect(Date.now()).toBeGreaterThanOrEqual(deadline);
});

test('a change that nobody announced is found by looking', async () => {
  const row = thing();
  const waiting = changes.until(uuidv7(), inAMinute(), row.read, row.isDone);
  await listener();
  await row.seen(2);
  row.value = 'after';
  expect(await waiting).toBe('after');
});

test('a lost connection is made again, and what was announced meanwhile is looked for', async () => {
  const row = thing();
  const id = uuidv7();
  const waiting = changes.until(id, inAMinute(), row.read, row.isDone);
  const pid = await listener();
  await database.sql`select pg_terminate_backend(${pid})`;
  row.value = 'after';
  expect(await waiting).toBe('after');
  await listener(pid);
});

test('many wait over one connection, and each gets its own answer', async () => {
  const rows = Array.from({ length: 50 }, (_, n) => ({ id: uuidv7(), n, state: thing() }));
  const waiting = rows.map(({ id, n, state }) =>
    changes.until(
      id,
      inAMinute(),
      async () => [await state.read(), n] as const,
      ([read]) => state.isDone(read),
    ),
  );
  const pid = await listener();
  for (const { state } of rows) state.value = 'after';
  await tell(...rows.map(({ id }) => id));
  expect(await Promise.all(waiting)).toEqual(rows.map(({ n }) => ['after', n]));
  const listeners = await database.sql`select pid from pg_stat_activity
    where datname = current_database() and query ilike 'listen%'`;
  expect(listeners.map((row) => row.pid)).toEqual([pid]);
});

test('where the database cannot be listened to, it is said once and those who wait go on by looking', async () => {
  const away = openDatabase('postgres://nobody@127.0.0.1:1/none', { poolSize: 1, applicationName: 'away' });
  const lines: string[] = [];
  const log = new PassThrough().on('data', (line) => lines.push(String(line)));
  const deaf = createChanges(away, createLogger('test', 'warn', log));
  const row = thing();
  const waiting = [1, 2].map(() => deaf.until(uuidv7(), inAMinute(), row.read, row.isDone));
  await row.seen(2);
  row.value = 'after';
  expect(await Promise.all(waiting)).toEqual(['after', 'after']);
  expect(lines).toEqual([expect.stringContaining('cannot listen for changes yet')]);
  deaf.close();
  await away.close();
});

test('who looks for himself is woken by an announcement, by being stopped, and when his time is over', async () => {
  const id = uuidv7();
  const far = changes.next(id, 60_000);
  await listener();
  await tell(id);
  await far.happened;
  const stopped = changes.next(id, 60_000);
  stopped.stop();
  stopped.stop();
  await stopped.happened;
  await changes.next(id, 1).happened;
});

test('an error while reading reaches who waits', async () => {
  const failing = changes.until(
    uuidv7(),
    inAMinute(),
    () => Promise.reject(new Error('no such row')),
    () => true,
  );
  await expect(failing).rejects.toThrow('no such row');
});

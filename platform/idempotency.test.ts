import { sql } from 'drizzle-orm';
import { idempotencyKeys } from '../db/schema/platform';
import { ProblemError } from '../kernel/errors';
import { createTestDatabase, type TestDatabase } from '../tests/support/database';
import {
  type ClientRequest,
  claimKey,
  forgetOldKeys,
  type KeyedRequest,
  keepAnswer,
  once,
  onceWith,
  releaseKey,
  storeReply,
  throwStored,
  undoOnce,
} from './idempotency';
import { uuidv7 } from './ids';
import { appendEvent } from './outbox';
import { problemBody, StoredRefusal } from './problem';
import { withContext } from './telemetry';

let database: TestDatabase;
const db = () => database.db;
beforeAll(async () => {
  database = await createTestDatabase('notification');
});
afterAll(() => database.drop());

const request = (overrides: Partial<KeyedRequest> = {}): KeyedRequest => ({
  owner: 'service',
  key: `booking:${uuidv7()}/step`,
  fingerprint: 'f1',
  ...overrides,
});
const undoOf = (step: KeyedRequest): KeyedRequest => ({ ...step, key: `${step.key}/undo`, fingerprint: 'f-undo' });
const refusedWith = (code: string) => expect.objectContaining({ code });

/** A command that counts how often it took effect. */
function command(streamId = uuidv7()) {
  return {
    effect: async (tx: Parameters<Parameters<typeof once>[2]>[0]) => {
      await appendEvent(tx, { streamId, type: 'Happened', data: {} });
      return { status: 201, body: { z: 1, a: [streamId] } };
    },
    times: async () => {
      const [row] = await database.sql`select count(*)::int as times from events where stream_id = ${streamId}`;
      return row?.times;
    },
  };
}

describe('once with a reply that is known beforehand', () => {
  const REPLY = { status: 201, body: { z: 1 } };
  const doing = (effect: ReturnType<typeof command>['effect'], keyed: KeyedRequest) =>
    onceWith(db(), keyed, REPLY, async (tx) => {
      await effect(tx);
    });

  test('of twenty at once exactly one takes effect, and all get that reply, also those after it', async () => {
    const { effect, times } = command();
    const keyed = request();
    const replies = await Promise.all(Array.from({ length: 20 }, () => doing(effect, keyed)));
    expect([...replies, await doing(effect, keyed)]).toEqual(Array(21).fill(REPLY));
    expect(await times()).toBe(1);
  });

  test('a refusal undoes all it did and is not stored, nor is the reply', async () => {
    const { effect, times } = command();
    const keyed = request();
    const refusing = onceWith(db(), keyed, REPLY, async (tx) => {
      await effect(tx);
      throw new ProblemError('conflict');
    });
    await expect(refusing).rejects.toEqual(refusedWith('conflict'));
    expect(await times()).toBe(0);
    expect(await doing(effect, keyed)).toEqual(REPLY);
    expect(await times()).toBe(1);
  });

  test('another request under the key is refused, and so is one that was undone before it came', async () => {
    const { effect, times } = command();
    const [keyed, late] = [request(), request()];
    await doing(effect, keyed);
    await expect(doing(effect, { ...keyed, fingerprint: 'f2' })).rejects.toEqual(refusedWith('idempotency_key_reused'));
    await undoOnce(db(), undoOf(late), async () => ({ status: 204, body: undefined }));
    await expect(doing(effect, late)).rejects.toEqual(refusedWith('undone'));
    expect(await times()).toBe(1);
  });

  test.each([500, 429, 401])('a %d is never stored', async (status) => {
    const { effect, times } = command();
    const storing = onceWith(db(), request(), { status, body: null }, async (tx) => void (await effect(tx)));
    await expect(storing).rejects.toThrow('never stored');
    expect(await times()).toBe(0);
  });
});

describe('once', () => {
  test('takes effect once and gives the first reply again, its members in the same order', async () => {
    const { effect, times } = command();
    const keyed = request();
    const first = await once(db(), keyed, effect);
    const again = await once(db(), keyed, effect);
    expect(JSON.stringify(again)).toBe(JSON.stringify(first));
    expect(await times()).toBe(1);
  });

  test('of twenty at once exactly one takes effect, and all get its reply', async () => {
    const { effect, times } = command();
    const keyed = request();
    const replies = await Promise.all(Array.from({ length: 20 }, () => once(db(), keyed, effect)));
    expect(new Set(replies.map((reply) => JSON.stringify(reply))).size).toBe(1);
    expect(await times()).toBe(1);
  });

  test('an empty reply is repeated as an empty one', async () => {
    const keyed = request();
    const empty = async () => ({ status: 204, body: undefined });
    await once(db(), keyed, empty);
    expect(await once(db(), keyed, empty)).toEqual({ status: 204, body: undefined });
  });

  test('another request under the key is refused and has no effect', async () => {
    const { effect, times } = command();
    const keyed = request();
    await once(db(), keyed, effect);
    await expect(once(db(), { ...keyed, fingerprint: 'f2' }, effect)).rejects.toEqual(
      refusedWith('idempotency_key_reused'),
    );
    expect(await times()).toBe(1);
  });

  test('keys of different owners never meet', async () => {
    const { effect, times } = command();
    const keyed = request();
    await once(db(), keyed, effect);
    await once(db(), { ...keyed, owner: uuidv7(), fingerprint: 'f2' }, effect);
    expect(await times()).toBe(2);
  });

  test('a refusal undoes all it did and is not stored', async () => {
    const { effect, times } = command();
    const keyed = request();
    const refusing = once(db(), keyed, async (tx) => {
      await effect(tx);
      throw new ProblemError('conflict');
    });
    await expect(refusing).rejects.toEqual(refusedWith('conflict'));
    expect(await times()).toBe(0);
    expect(await once(db(), keyed, effect)).toMatchObject({ status: 201 });
  });

  test('without a key it happens each time', async () => {
    const { effect, times } = command();
    await once(db(), undefined, effect);
    await once(db(), undefined, effect);
    expect(await times()).toBe(2);
  });

  test('a key that a saga holds is in progress', async () => {
    const keyed = request();
    await db().transaction((tx) => claimKey(tx, keyed, uuidv7(), 60));
    await expect(once(db(), keyed, command().effect)).rejects.toMatchObject({
      code: 'idempotency_in_progress',
      more: { retryAfterSeconds: 1 },
    });
  });
});

describe('undoOnce', () => {
  test('an undo that comes first lets its step never happen', async () => {
    const step = request();
    const done = command();
    const undone = command();
    await undoOnce(db(), undoOf(step), undone.effect);
    await expect(once(db(), step, done.effect)).rejects.toEqual(refusedWith('undone'));
    expect([await done.times(), await undone.times()]).toEqual([0, 1]);
  });

  test('an undo takes effect once', async () => {
    const undone = command();
    const undo = undoOf(request());
    const replies = await Promise.all(Array.from({ length: 10 }, () => undoOnce(db(), undo, undone.effect)));
    expect(new Set(replies.map((reply) => JSON.stringify(reply))).size).toBe(1);
    expect(await undone.times()).toBe(1);
  });

  test('an undo that is repeated for another reason is the same undo', async () => {
    const undone = command();
    const undo = undoOf(request());
    const first = await undoOnce(db(), undo, undone.effect);
    expect(await undoOnce(db(), { ...undo, fingerprint: 'another reason' }, undone.effect)).toEqual(first);
    expect(await undone.times()).toBe(1);
  });

  test('an undo waits for the step that is running and sees what it did', async () => {
    const step = request();
    const done = command();
    let running: () => void = () => undefined;
    const started = new Promise<void>((resolve) => {
      running = resolve;
    });
    let finish: () => void = () => undefined;
    const mayFinish = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const doing = once(db(), step, async (tx) => {
      const reply = await done.effect(tx);
      running();
      await mayFinish;
      return reply;
    });
    await started;
    let seen: number | undefined;
    const undoing = undoOnce(db(), undoOf(step), async () => {
      seen = await done.times();
      return { status: 204, body: undefined };
    });
    await waiting();
    expect(seen).toBeUndefined();
    finish();
    await Promise.all([doing, undoing]);
    expect(seen).toBe(1);
  });

  test('whichever comes first of a step and its undo, the step is done and undone, or never happens', async () => {
    for (let round = 0; round < 15; round++) {
      const step = request();
      const done = command();
      let found = -1;
      const [stepped] = await Promise.allSettled([
        once(db(), step, done.effect),
        undoOnce(db(), undoOf(step), async () => {
          found = await done.times();
          return { status: 204, body: undefined };
        }),
      ]);
      expect(await done.times()).toBe(stepped.status === 'fulfilled' ? 1 : 0);
      expect(found).toBe(await done.times());
    }
  });

  test('a key that does not end in /undo is refused: the mark would be left nowhere', async () => {
    await expect(undoOnce(db(), request(), command().effect)).rejects.toEqual(refusedWith('validation_failed'));
  });

  test('an undo that fails leaves no mark', async () => {
    const step = request();
    const failing = undoOnce(db(), undoOf(step), async () => {
      throw new ProblemError('upstream_unavailable');
    });
    await expect(failing).rejects.toEqual(refusedWith('upstream_unavailable'));
    expect(await once(db(), step, command().effect)).toMatchObject({ status: 201 });
  });
});

describe('a request whose effect is a saga', () => {
  const claim = (keyed: KeyedRequest, id = uuidv7(), seconds = 60) =>
    db().transaction((tx) => claimKey(tx, keyed, id, seconds));
  const userRequest = () => request({ owner: uuidv7(), key: uuidv7() });
  const expire = (keyed: KeyedRequest) =>
    database.sql`update idempotency_keys set leased_until = now() - interval '1 second' where key = ${keyed.key}`;

  test('is run by the first; others are told to wait', async () => {
    const keyed = userRequest();
    const results = await Promise.allSettled(Array.from({ length: 10 }, () => claim(keyed)));
    const runs = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    expect(runs).toEqual([{ kind: 'run', first: true, resourceId: expect.any(String) }]);
    for (const result of results)
      if (result.status === 'rejected') expect(result.reason).toEqual(refusedWith('idempotency_in_progress'));
  });

  test('is taken over under the first id when its lease has run out, by one of many', async () => {
    const keyed = userRequest();
    const id = uuidv7();
    await claim(keyed, id);
    await expire(keyed);
    const results = await Promise.allSettled(Array.from({ length: 10 }, () => claim(keyed)));
    const runs = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    expect(runs).toEqual([{ kind: 'run', resourceId: id, first: false }]);
  });

  test('may be taken over at once after a release', async () => {
    const keyed = userRequest();
    const id = uuidv7();
    await claim(keyed, id);
    await releaseKey(db(), keyed);
    expect(await claim(keyed)).toEqual({ kind: 'run', resourceId: id, first: false });
  });

  test('is answered from the store afterwards, by the first reply that was stored', async () => {
    const keyed = userRequest();
    const id = uuidv7();
    await claim(keyed, id);
    await storeReply(db(), keyed, { status: 201, body: { id } });
    await storeReply(db(), keyed, { status: 202, body: null });
    await releaseKey(db(), keyed);
    expect(await claim(keyed)).toEqual({ kind: 'replay', reply: { status: 201, body: { id } }, resourceId: id });
  });

  test('is refused when it is another request', async () => {
    const keyed = userRequest();
    await claim(keyed);
    await expect(claim({ ...keyed, fingerprint: 'f2' })).rejects.toEqual(refusedWith('idempotency_key_reused'));
  });

  test('is forgotten with the transaction that claimed it', async () => {
    const keyed = userRequest();
    const failing = db().transaction(async (tx) => {
      await claimKey(tx, keyed, uuidv7(), 60);
      throw new ProblemError('not_found');
    });
    await expect(failing).rejects.toEqual(refusedWith('not_found'));
    expect(await claim(keyed)).toMatchObject({ first: true });
  });

  test.each([401, 429, 500, 503])(
    'a reply with status %i is never stored, and the key stays as it is',
    async (status) => {
      const keyed = userRequest();
      const id = uuidv7();
      await claim(keyed, id);
      await expect(storeReply(db(), keyed, { status, body: null })).rejects.toThrow(`status ${status} is never stored`);
      await expect(once(db(), request(), async () => ({ status, body: null }))).rejects.toThrow('is never stored');
      await expire(keyed);
      expect(await claim(keyed)).toEqual({ kind: 'run', resourceId: id, first: false });
    },
  );

  describe('and whose answer is kept', () => {
    const instance = '/api/bookings';
    const claimed = async (): Promise<ClientRequest> => {
      const keyed = { ...userRequest(), instance };
      await claim(keyed);
      return keyed;
    };
    const replayOf = async (keyed: KeyedRequest) => {
      const found = await claim(keyed);
      return found.kind === 'replay' ? found.reply : found.kind;
    };

    test('a success is repeated; a 202 without its body, which would be out of date', async () => {
      const [made, underWay] = [await claimed(), await claimed()];
      const reply = { status: 201, body: { id: 'b' } };
      expect(await keepAnswer(db(), made, async () => reply)).toEqual(reply);
      expect(await replayOf(made)).toEqual(reply);
      const later = { status: 202, body: { clientSecret: 'secret' } };
      expect(await keepAnswer(db(), underWay, async () => later)).toEqual(later);
      expect(await replayOf(underWay)).toEqual({ status: 202, body: undefined });
    });

    test('a final refusal is repeated as it was sent, down to the request id', async () => {
      const keyed = await claimed();
      const problem = new ProblemError('payment_declined', undefined, { extras: { bookingId: 'b' } });
      const context = { requestId: 'r1', traceparent: '' };
      await expect(withContext(context, () => keepAnswer(db(), keyed, () => Promise.reject(problem)))).rejects.toBe(
        problem,
      );
      const reply = await claim(keyed);
      const stored = { status: 402, body: problemBody(problem, instance, 'r1') };
      expect(reply).toMatchObject({ kind: 'replay', reply: stored });
      expect(() => throwStored(stored)).toThrow(new StoredRefusal(402, stored.body));
    });

    test.each([
      new ProblemError('upstream_unavailable'),
      new ProblemError('rate_limited'),
      new ProblemError('unauthenticated'),
      new ProblemError('invalid_credentials'),
      new ProblemError('idempotency_in_progress'),
      new ProblemError('internal'),
      new Error('the connection was reset'),
    ])('after what may come out differently next time the key is free at once: %s', async (failure) => {
      const keyed = await claimed();
      await expect(keepAnswer(db(), keyed, () => Promise.reject(failure))).rejects.toBe(failure);
      expect(await claim(keyed)).toMatchObject({ kind: 'run', first: false });
    });

    test('without a key it is just answered', async () => {
      expect(await keepAnswer(db(), undefined, async () => ({ status: 204, body: undefined }))).toMatchObject({
        status: 204,
      });
    });
  });
});

describe('forgetting', () => {
  async function aged(owner: string, hours: number): Promise<string> {
    const key = uuidv7();
    await db()
      .insert(idempotencyKeys)
      .values({
        ...{ owner, key, fingerprint: 'f', resourceId: uuidv7() },
        createdAt: sql`now() - make_interval(hours => ${hours})`,
      });
    return key;
  }
  const kept = async (key: string) =>
    (await database.sql`select 1 from idempotency_keys where key = ${key}`).length > 0;

  test("clients' keys live a day, those of sagas a week, because an undo must outlast every retry of its step", async () => {
    const user = uuidv7();
    const keys = await Promise.all([aged(user, 23), aged(user, 25), aged('service', 25), aged('service', 7 * 24 + 1)]);
    expect(await forgetOldKeys(db())).toBe(2);
    expect(await Promise.all(keys.map(kept))).toEqual([true, false, true, false]);
    expect(await forgetOldKeys(db())).toBe(0);
  });

  test('a heap that has grown over weeks is deleted in one go', async () => {
    await database.sql`
      insert into idempotency_keys (owner, key, fingerprint, resource_id, created_at)
      select 'someone', n::text, 'f', gen_random_uuid(), now() - interval '2 days' from generate_series(1, 12001) n`;
    expect(await forgetOldKeys(db())).toBe(12_001);
  });
});

/** Resolves when some connection of this database waits for another one's lock. */
async function waiting(): Promise<void> {
  for (;;) {
    const [row] = await database.sql`
      select count(*)::int as waiters from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`;
    if (row?.waiters > 0) return;
  }
}

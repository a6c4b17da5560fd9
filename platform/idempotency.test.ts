import { ProblemError } from '../kernel/errors';
import { undoKeyOf } from '../kernel/step-key';
import { keyedRequests, refusedWith, request } from '../tests/support/keyed-requests';
import { claimKey, type KeyedRequest, once, onceWith, type UndoRequest, undoOnce } from './idempotency';
import { uuidv7 } from './ids';

const { db, database, command } = keyedRequests();
const undoOf = (step: KeyedRequest): UndoRequest => ({ ...step, key: undoKeyOf(step.key), fingerprint: 'f-undo' });

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

  test('a step that was done and undone does not answer any more that it is done', async () => {
    const step = request();
    const { effect, times } = command();
    const nothing = async () => ({ status: 204, body: undefined });
    await once(db(), step, effect);
    await undoOnce(db(), undoOf(step), nothing);
    await expect(once(db(), step, effect)).rejects.toEqual(refusedWith('undone'));
    await undoOnce(db(), undoOf(step), nothing);
    await expect(once(db(), step, effect)).rejects.toEqual(refusedWith('undone'));
    await expect(onceWith(db(), step, { status: 200, body: 1 }, async () => undefined)).rejects.toEqual(
      refusedWith('undone'),
    );
    expect(await times()).toBe(1);
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

/** Resolves when some connection of this database waits for another one's lock. */
async function waiting(): Promise<void> {
  for (;;) {
    const [row] = await database.sql`
      select count(*)::int as waiters from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`;
    if (row?.waiters > 0) return;
  }
}

import { sql } from 'drizzle-orm';
import { idempotencyKeys } from '../db/schema/platform';
import { ProblemError } from '../kernel/errors';
import { keyedRequests, refusedWith, request } from '../tests/support/keyed-requests';
import {
  type ClientRequest,
  claimKey,
  forgetOldKeys,
  type KeyedRequest,
  keepAnswer,
  once,
  releaseKey,
  storeReply,
  throwStored,
} from './idempotency';
import { uuidv7 } from './ids';
import { problemBody, StoredRefusal } from './problem';
import { withContext } from './telemetry';

const { db, database } = keyedRequests();

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
        owner,
        key,
        fingerprint: 'f',
        resourceId: uuidv7(),
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

import { eq, sql } from 'drizzle-orm';
import { accountMails, emailAddresses, emailChanges, events, userSessions } from '../../../../db/schema/identity';
import { undoKeyOf } from '../../../../kernel/step-key';
import { uuidv7 } from '../../../../platform/ids';
import { createTestDatabase, type TestDatabase } from '../../../../tests/support/database';
import {
  accountOf,
  askedChange,
  changeOf,
  confirmToken,
  HASH,
  madeChange,
  makeChange,
  revertToken,
  setStanding,
  takeBack,
} from '../../../../tests/support/email-changes';
import { eventually } from '../../../../tests/support/platform';
import { activeUser, eventsOf, newUser, step, uniqueEmail } from '../../../../tests/support/users';
import { checkReset, issueReset } from '../../store/passwords';
import { openSession } from '../../store/sessions';
import { storePendingUser } from '../../store/sign-up';
import { revertEmailChange } from './links';
import {
  forgetOldEmailChanges,
  lookAtEmailChange,
  neglectedChanges,
  readAddresses,
  readEmailChange,
  withdrawEmailChange,
} from './saga-steps';

let database: TestDatabase;
let db: TestDatabase['db'];

beforeAll(async () => {
  database = await createTestDatabase('identity');
  db = database.db;
});

afterAll(() => database.drop());

const taken = { code: 'email_taken' };
const register = (email: string) => storePendingUser(db, newUser(email));
const statusOf = async (id: string) => (await changeOf(db, id)).status;
const ownersOf = async (email: string) =>
  (await db.select().from(emailAddresses).where(eq(emailAddresses.address, email.toLowerCase()))).map(
    ({ userId }) => userId,
  );
const revert = async (id: string) => revertEmailChange(db, await revertToken(db, id));
const runOut = (id: string) =>
  db
    .update(emailChanges)
    .set({
      confirmUntil: sql`now()`,
      revertUntil: sql`case when revert_until is not null then now() end`,
    })
    .where(eq(emailChanges.id, id));
async function confirmed(who: Parameters<typeof askedChange>[1] = {}) {
  const asked = await askedChange(db, who);
  await setStanding(db, asked.requestId, 'confirmed');
  return asked;
}

describe('the pivot', () => {
  test('gives the account the address, proven, and tells of it by ids alone', async () => {
    const { requestId: id, userId, from, to } = await confirmed();
    const before = await accountOf(db, userId);
    expect(await makeChange(db, id)).toBe('changed');
    const account = await accountOf(db, userId);
    expect(account.email).toBe(to);
    expect(account.emailVerifiedAt?.getTime()).toBeGreaterThan(before.emailVerifiedAt?.getTime() ?? 0);
    expect(account.updatedAt.getTime()).toBeGreaterThan(before.updatedAt.getTime());
    expect((await eventsOf(db, userId)).at(-1)).toMatchObject({
      type: 'UserEmailChanged',
      data: { userId, participantIds: [userId], by: 'change' },
    });
    const told = JSON.stringify(await db.select().from(events));
    for (const address of [from, to]) expect(told).not.toContain(address);
  });

  test('does nothing twice', async () => {
    const { requestId: id, userId } = await madeChange(db);
    expect(await makeChange(db, id)).toBe('changed');
    const told = (await eventsOf(db, userId)).filter(({ type }) => type === 'UserEmailChanged');
    expect(told).toHaveLength(1);
  });

  test('ends all sessions but the one that asked, and makes void what links were sent to the address of before', async () => {
    const { requestId: id, userId, sessionId } = await confirmed();
    await db.insert(userSessions).values({ id: sessionId, userId, expiresAt: sql`now() + interval '1 day'` });
    await openSession(db, {
      userId,
      isFirst: false,
      proof: { passwordHash: HASH },
      userAgent: null,
      address: '203.0.113.7',
    });
    const { token } = await issueReset(db, userId, 'forgot', Buffer.alloc(32));
    await makeChange(db, id);
    const sessions = await db.select().from(userSessions).where(eq(userSessions.userId, userId));
    const reasons = sessions.map((session) => [session.id === sessionId, session.endReason]);
    expect(reasons.toSorted()).toEqual([
      [false, 'email_changed'],
      [true, null],
    ]);
    await expect(checkReset(db, token)).rejects.toMatchObject({ code: 'invalid_token' });
  });

  test.each(['asked', 'void', 'replaced', 'withdrawn'] as const)(
    'changes nothing of a change that is %s',
    async (status) => {
      const { requestId: id, userId, from } = await askedChange(db);
      await setStanding(db, id, status);
      expect(await makeChange(db, id)).toBe(status);
      expect(await accountOf(db, userId)).toMatchObject({ email: from });
    },
  );

  test('of an address that nobody had proven is for good: a stranger may have it, who could take the account otherwise', async () => {
    const [from, to] = [uniqueEmail(), uniqueEmail()];
    const userId = await activeUser(db, from);
    const { requestId: id } = await confirmed({ userId, to });
    expect(await makeChange(db, id)).toBe('kept');
    expect(await accountOf(db, userId)).toMatchObject({ email: to, emailVerifiedAt: expect.any(Date) });
    expect((await eventsOf(db, userId)).map(({ type }) => type)).toContain('UserEmailVerified');
    expect(await revertToken(db, id)).toBe('');
    await register(from);
  });
});

describe('an address is one person’s', () => {
  test('whoever registers or changes to it first has it, and the other is told', async () => {
    const outcomes = new Set<string>();
    for (let round = 0; round < 30; round++) {
      const { requestId: id, userId, from, to } = await confirmed();
      // The one before the other, every other time.
      const both =
        round % 2 === 0
          ? [() => makeChange(db, id), () => register(to)]
          : [() => register(to), () => makeChange(db, id)];
      await Promise.allSettled(both.map((each) => each()));
      const status = await statusOf(id);
      outcomes.add(status);
      const [owner, ...others] = await ownersOf(to);
      const accounts = await database.sql`select id from users where lower(email) = lower(${to})`;
      expect(others).toEqual([]);
      expect(accounts.map((account) => account.id)).toEqual([owner]);
      expect(owner === userId).toBe(status === 'changed');
      expect(await accountOf(db, userId)).toMatchObject({ email: status === 'changed' ? to : from });
    }
    expect([...outcomes].toSorted()).toEqual(['changed', 'taken']);
  });

  test('a change that waits for a registration is taken when that is there, and made when it is not', async () => {
    for (const [ends, status] of [
      ['commit', 'taken'],
      ['rollback', 'changed'],
    ] as const) {
      const { requestId: id, to } = await confirmed();
      let made: Promise<string> = Promise.resolve('');
      const registering = db.transaction(async (tx) => {
        await storePendingUserIn(tx, to);
        made = makeChange(db, id);
        await waiting();
        if (ends === 'rollback') throw new Error('given up');
      });
      await Promise.allSettled([registering]);
      expect(await made).toBe(status);
    }
  });

  test('nobody registers with an address that is kept, in whatever letters', async () => {
    const { userId, from } = await madeChange(db);
    // The address of before, while it is kept: nobody has an account with it, and nobody gets one.
    await expect(register(from.toUpperCase())).rejects.toMatchObject(taken);
    expect(await ownersOf(from)).toEqual([userId]);
    expect(await database.sql`select from users where lower(email) = lower(${from})`).toHaveLength(0);
  });

  test('nobody else changes to an address that is kept, and its person can', async () => {
    const { userId, from } = await madeChange(db);
    await expect(askedChange(db, { to: from })).rejects.toMatchObject(taken);
    const other = await confirmed();
    await database.sql`update email_changes set to_email = ${from} where id = ${other.requestId}`;
    expect(await makeChange(db, other.requestId)).toBe('taken');
    await expect(database.sql`update users set email = ${from} where id = ${other.userId}`).rejects.toMatchObject({
      code: '23505',
    });
    const back = await confirmed({ userId, to: from });
    expect(await makeChange(db, back.requestId)).toBe('changed');
    expect(await accountOf(db, userId)).toMatchObject({ email: from });
  });

  test('it is free again when the change is kept, and not before, whoever comes in that moment', async () => {
    const outcomes = new Set<string>();
    for (let round = 0; round < 20; round++) {
      const { requestId: id, from } = await madeChange(db);
      await runOut(id);
      const [registered] = await Promise.allSettled([register(from), lookAtEmailChange(db, id)]);
      outcomes.add(registered.status);
      if (registered.status === 'rejected') expect(registered.reason).toMatchObject(taken);
      expect(await statusOf(id)).toBe('kept');
      if (registered.status === 'rejected') await register(from);
      expect(await ownersOf(from)).toHaveLength(1);
    }
    expect(outcomes.size).toBeGreaterThan(0);
  });

  test('of somebody whose sign-up is undone it is free again', async () => {
    const email = uniqueEmail();
    const { userId } = await register(email);
    await database.sql`delete from users where id = ${userId}`;
    expect(await ownersOf(email)).toEqual([]);
    await register(email);
  });

  test('a registration that takes an abandoned one over keeps the address', async () => {
    const email = uniqueEmail();
    const { userId } = await register(email);
    await database.sql`update users set attempt_until = now() - interval '1 minute' where id = ${userId}`;
    expect(await register(email.toUpperCase())).toMatchObject({ userId });
    expect(await ownersOf(email)).toEqual([userId]);
  });
});

describe('a change that is taken back', () => {
  test('the account has the address of before, nobody is signed in, and a mail for a new password is asked for', async () => {
    const { requestId: id, userId, from, to } = await madeChange(db);
    await revert(id);
    // In the moment between, the thief has set a password by a link to the address that they still have.
    await database.sql`update users set password_hash = 'of the thief' where id = ${userId}`;
    const thief = {
      userId,
      isFirst: false,
      proof: { passwordHash: 'of the thief' },
      userAgent: null,
      address: '203.0.113.9',
    };
    await openSession(db, thief);
    const reverted = await takeBack(db, id);
    expect(reverted).toEqual({ status: 'reverted', mailId: expect.any(String) });
    expect(await takeBack(db, id)).toEqual(reverted);
    const account = await accountOf(db, userId);
    expect(account).toMatchObject({ email: from, passwordHash: null });
    const sessions = await db.select().from(userSessions).where(eq(userSessions.userId, userId));
    expect(sessions.filter(({ endedAt }) => !endedAt)).toEqual([]);
    const [mail] = await db
      .select()
      .from(accountMails)
      .where(eq(accountMails.id, reverted.mailId ?? ''));
    expect(mail).toMatchObject({ purpose: 'password_reset', userId });
    expect((await eventsOf(db, userId)).at(-1)).toMatchObject({ type: 'UserEmailChanged', data: { by: 'revert' } });
    await register(to);
    await expect(register(from)).rejects.toMatchObject(taken);
  });

  test('nothing is taken back that nobody asked to', async () => {
    const { requestId: id, userId, to } = await madeChange(db);
    expect(await takeBack(db, id)).toEqual({ status: 'changed', mailId: null });
    expect(await accountOf(db, userId)).toMatchObject({ email: to, passwordHash: HASH });
  });

  test('of a chain the first brings the first address back, and all others are free', async () => {
    const first = await madeChange(db);
    const { userId } = first;
    const second = await madeChange(db, { userId });
    await revert(first.requestId);
    await takeBack(db, first.requestId);
    expect(await accountOf(db, userId)).toMatchObject({ email: first.from });
    expect(await statusOf(second.requestId)).toBe('void');
    for (const address of [first.to, second.to]) await register(address);
  });
});

describe('how a change stands', () => {
  test('is told of none that there is not, and giving up one that is made changes nothing', async () => {
    const nowhere = uuidv7();
    await expect(readEmailChange(db, nowhere)).rejects.toMatchObject({ code: 'not_found' });
    await expect(readAddresses(db, nowhere)).rejects.toMatchObject({ code: 'not_found' });
    const { requestId: id } = await madeChange(db);
    await withdrawEmailChange(db, step(undoKeyOf(`email-change:${id}/ask`)), id);
    expect(await readEmailChange(db, id)).toEqual({ status: 'changed' });
  });

  test('is told with the time until when it stays so, and what has run out is noted', async () => {
    const { requestId: id } = await askedChange(db);
    expect(await lookAtEmailChange(db, id)).toEqual({ status: 'asked', until: null });
    await confirmToken(db, id);
    expect(await lookAtEmailChange(db, id)).toEqual({ status: 'asked', until: expect.stringMatching(/Z$/) });
    await runOut(id);
    expect(await lookAtEmailChange(db, id)).toEqual({ status: 'expired', until: null });
    expect(await changeOf(db, id)).toMatchObject({ status: 'expired', heardStatus: 'expired' });
    await expect(lookAtEmailChange(db, uuidv7())).rejects.toMatchObject({ code: 'not_found' });
  });

  test('is told by the sweep where the saga has not begun, or has not heard, for twenty seconds', async () => {
    await database.sql`update email_changes set heard_status = status, revert_until = null`;
    const [fresh, old, heard] = [await askedChange(db), await askedChange(db), await askedChange(db)];
    const isLeft = async () => (await neglectedChanges(db, 100)).map(({ id, begun }) => [id, begun]);
    const age = (id: string) =>
      database.sql`update email_changes set status_at = status_at - interval '21 seconds' where id = ${id}`;
    await lookAtEmailChange(db, heard.requestId);
    for (const { requestId } of [old, heard]) await age(requestId);
    expect(await isLeft()).toEqual([[old.requestId, false]]);
    await setStanding(db, heard.requestId, 'void');
    await age(heard.requestId);
    await lookAtEmailChange(db, old.requestId);
    expect(await isLeft()).toEqual([[heard.requestId, true]]);
    expect(await isLeft()).not.toContainEqual([fresh.requestId, false]);
  });

  test('a change whose saga is gone is found when its time was over an hour ago', async () => {
    const { requestId: id } = await madeChange(db);
    const found = async () => (await neglectedChanges(db, 100)).some((each) => each.id === id);
    await runOut(id);
    expect(await found()).toBe(false);
    await database.sql`update email_changes set revert_until = now() - interval '61 minutes' where id = ${id}`;
    expect(await found()).toBe(true);
  });

  test('is forgotten a month after it was settled', async () => {
    const { requestId: id } = await madeChange(db);
    const month = () => database.sql`update email_changes set status_at = now() - interval '31 days' where id = ${id}`;
    await month();
    await forgetOldEmailChanges(db);
    await setStanding(db, id, 'kept');
    await forgetOldEmailChanges(db);
    expect(await statusOf(id)).toBe('kept');
    await month();
    await forgetOldEmailChanges(db);
    await expect(changeOf(db, id)).rejects.toThrow('no such change');
  });
});

/** Resolves when a transaction of this database waits for a lock. */
const waiting = () =>
  eventually('one waits for a lock', async () => {
    const rows = await database.sql`
      select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
    return rows.length === 1;
  });

/** Registers an address as `storePendingUser` does, in a transaction of the test's. */
async function storePendingUserIn(tx: Parameters<Parameters<TestDatabase['db']['transaction']>[0]>[0], email: string) {
  await tx.execute(sql`
    insert into users (id, email, password_hash, role, status, registration, attempt_id, attempt_until)
    values (${uuidv7()}, ${email}, 'hash', 'student', 'pending', '{}', ${uuidv7()}, now())`);
}

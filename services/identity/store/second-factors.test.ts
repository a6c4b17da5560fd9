import { eq, sql } from 'drizzle-orm';
import { loginChallenges, recoveryCodes, totpFactors, userSessions, users } from '../../../db/schema/identity';
import { codeOf } from '../../../dev/machine/authenticator';
import { HOUR, SECOND } from '../../../kernel/time';
import { uuidv7 } from '../../../platform/ids';
import { deriveKey } from '../../../platform/sealing';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/database';
import { activeUser, eventsOf } from '../../../tests/support/users';
import { relyingParty } from '../passkeys';
import { challenged, challengeOf, forgetOldChallenges, meetChallenge } from './challenges';
import { changePassword, issueReset, resetPassword } from './passwords';
import { confirmTotp, removeTotp, startTotp } from './second-factors';
import { isSessionOpen, openSession, rotateRefreshToken } from './sessions';

let database: TestDatabase;
let db: TestDatabase['db'];
beforeAll(async () => {
  database = await createTestDatabase('identity');
  db = database.db;
});
afterAll(() => database.drop());

const key = deriveKey('platform', 'totp');
/** What `activeUser` signs up with. */
const passwordHash = 'hash of Ada';
const party = relyingParty('https://tutorconnect.example');
const where = { userAgent: null, address: '203.0.113.7' };
const NOW = new Date('2030-01-01T12:00:10.000Z');
const later = (steps: number) => new Date(NOW.getTime() + steps * 30 * SECOND);

const signIn = (userId: string) => openSession(db, { userId, isFirst: false, proof: { passwordHash }, ...where });
const typesOf = async (streamId: string) => (await eventsOf(db, streamId)).map(({ type }) => type);
const wrongCode = { code: 'validation_failed', more: { errors: [expect.objectContaining({ path: 'code' })] } };
const refused = { code: 'invalid_credentials' };

/** Somebody with a second factor, whose session of `sessionId` has shown it at NOW. */
async function enrolled() {
  const userId = await activeUser(db);
  const session = await signIn(userId);
  const { secret } = await startTotp(db, userId, { passwordHash, key });
  const { sessionId } = session;
  const codes = await confirmTotp(db, userId, { code: codeOf(secret, NOW), at: NOW, key, sessionId });
  return { secret, codes, ...session };
}
type Enrolled = Awaited<ReturnType<typeof enrolled>>;

const challenge = async (userId: string, hash = passwordHash) => {
  const made = await challengeOf(db, userId, { proof: { passwordHash: hash }, party });
  if (!made) throw new Error('there is no challenge');
  return made;
};
const meet = (challengeId: string, code: string, at: Date) =>
  meetChallenge(db, { challengeId, code, at, key, party, ...where });
/** Signs in with the code of so many steps after NOW. */
const meetNow = async ({ userId, secret }: Enrolled, steps: number) =>
  meet((await challenge(userId)).id, codeOf(secret, later(steps)), later(steps));

describe('setting up', () => {
  test('asks for nothing before the first code, which raises the session, ends the others and is told', async () => {
    const userId = await activeUser(db);
    const [mine, other] = [await signIn(userId), await signIn(userId)];
    const first = await startTotp(db, userId, { passwordHash, key });
    const second = await startTotp(db, userId, { passwordHash, key });
    expect(await challengeOf(db, userId, { proof: { passwordHash }, party })).toBeUndefined();
    const { sessionId } = mine;
    const confirm = (secret: string) => confirmTotp(db, userId, { code: codeOf(secret, NOW), at: NOW, key, sessionId });
    await expect(confirm(first.secret)).rejects.toMatchObject(wrongCode);
    expect(new Set(await confirm(second.secret)).size).toBe(10);
    expect(await isSessionOpen(db, userId, other.sessionId)).toBe(false);
    expect(await rotateRefreshToken(db, mine.refreshToken)).toMatchObject({ sessionId, secondFactor: 'totp' });
    expect((await typesOf(userId)).at(-1)).toBe('UserSecondFactorAdded');
    await expect(confirm(second.secret)).rejects.toMatchObject({ code: 'invalid_state' });
    await expect(startTotp(db, userId, { passwordHash, key })).rejects.toMatchObject({ code: 'invalid_state' });
  });

  test('needs the password of now', async () => {
    const userId = await activeUser(db);
    const errors = [expect.objectContaining({ path: 'password' })];
    const started = startTotp(db, userId, { passwordHash: 'of before', key });
    await expect(started).rejects.toMatchObject({ code: 'validation_failed', more: { errors } });
    await expect(startTotp(db, uuidv7(), { passwordHash, key })).rejects.toMatchObject({ code: 'not_found' });
  });

  test('keeps neither secret nor codes in the clear, and tells nobody of them', async () => {
    const { userId, secret, codes } = await enrolled();
    const rows = [
      await db.select().from(totpFactors).where(eq(totpFactors.userId, userId)),
      await db.select().from(recoveryCodes).where(eq(recoveryCodes.userId, userId)),
      await database.sql`select * from events`,
    ];
    for (const known of [secret, ...codes, ...codes.map((code) => code.replaceAll('-', ''))])
      expect(JSON.stringify(rows)).not.toContain(known);
  });

  test('of two confirmations at once one counts', async () => {
    const userId = await activeUser(db);
    const { sessionId } = await signIn(userId);
    const { secret } = await startTotp(db, userId, { passwordHash, key });
    const confirming = Array.from({ length: 5 }, () =>
      confirmTotp(db, userId, { code: codeOf(secret, NOW), at: NOW, key, sessionId }),
    );
    const outcomes = await Promise.allSettled(confirming);
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await db.select().from(recoveryCodes).where(eq(recoveryCodes.userId, userId))).toHaveLength(10);
  });
});

describe('a sign-in', () => {
  test('is not to be had without the second factor', async () => {
    const { userId } = await enrolled();
    await expect(signIn(userId)).rejects.toMatchObject(refused);
  });

  test('that waits for the confirmation of a second factor opens nothing without it', async () => {
    for (let round = 0; round < 20; round++) {
      const userId = await activeUser(db);
      const { sessionId } = await signIn(userId);
      const { secret } = await startTotp(db, userId, { passwordHash, key });
      await Promise.allSettled([
        confirmTotp(db, userId, { code: codeOf(secret, NOW), at: NOW, key, sessionId }),
        ...Array.from({ length: 4 }, () => signIn(userId)),
      ]);
      const open = await db.select().from(userSessions).where(eq(userSessions.userId, userId));
      expect(open.filter(({ endedAt }) => !endedAt).map(({ id }) => id)).toEqual([sessionId]);
    }
  });

  test('by a code opens one session, which says so at each refresh', async () => {
    const person = await enrolled();
    const { methods, id } = await challenge(person.userId);
    expect(methods).toEqual(['totp', 'recovery_code']);
    const opened = await meet(id, codeOf(person.secret, later(1)), later(1));
    expect(opened).toMatchObject({ userId: person.userId, role: 'student', secondFactor: 'totp' });
    const refreshed = await rotateRefreshToken(db, opened.refreshToken);
    expect(refreshed).toMatchObject({ method: 'password', secondFactor: 'totp' });
    expect(await rotateRefreshToken(db, refreshed.refreshToken)).toMatchObject({ secondFactor: 'totp' });
  });

  test.each([
    ['that was used to confirm', 0, 0],
    ['of a step before the last that was used', -1, 0],
    ['of two steps ago', 1, 3],
    ['of two steps ahead', 4, 2],
  ])('takes no code %s', async (_, ofStep, atStep) => {
    const { userId, secret } = await enrolled();
    const { id } = await challenge(userId);
    await expect(meet(id, codeOf(secret, later(ofStep)), later(atStep))).rejects.toMatchObject(refused);
    await expect(meet(id, codeOf(secret, later(5)), later(5))).resolves.toMatchObject({ secondFactor: 'totp' });
  });

  test('of parallel uses of one code one opens a session, whatever the challenge', async () => {
    const { userId, secret } = await enrolled();
    const challenges = await Promise.all(Array.from({ length: 4 }, () => challenge(userId)));
    const code = codeOf(secret, later(1));
    const outcomes = await Promise.allSettled(challenges.map(({ id }) => meet(id, code, later(1))));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  test('of parallel uses of one challenge one opens a session, whatever the code', async () => {
    const { userId, secret, codes } = await enrolled();
    const { id } = await challenge(userId);
    const given = [codeOf(secret, later(1)), ...codes.slice(0, 3)];
    const outcomes = await Promise.allSettled(given.map((code) => meet(id, code, later(1))));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const used = await db.select().from(recoveryCodes).where(eq(recoveryCodes.userId, userId));
    const [factor] = await db.select().from(totpFactors).where(eq(totpFactors.userId, userId));
    const spent =
      used.filter(({ usedAt }) => usedAt).length + Number(factor?.lastStep === Math.floor(later(1).getTime() / 30_000));
    expect(spent).toBe(1);
  });

  test('a recovery code opens one, however it is typed, and is left out once there is none', async () => {
    const { userId, codes } = await enrolled();
    for (const [n, code] of codes.entries()) {
      const typed = n % 2 === 0 ? code.toUpperCase() : code.replaceAll('-', ' ');
      expect(await meet((await challenge(userId)).id, typed, NOW)).toMatchObject({ secondFactor: 'recovery_code' });
      await expect(meet((await challenge(userId)).id, code, NOW)).rejects.toMatchObject(refused);
    }
    expect((await challenge(userId)).methods).toEqual(['totp']);
  });

  test('is refused with the codes of somebody else, and with a secret that cannot be opened', async () => {
    const [ada, eve] = [await enrolled(), await enrolled()];
    for (const code of [codeOf(eve.secret, later(1)), ...eve.codes.slice(0, 1)])
      await expect(meet((await challenge(ada.userId)).id, code, later(1))).rejects.toMatchObject(refused);
    const { id: challengeId } = await challenge(ada.userId);
    const code = codeOf(ada.secret, later(1));
    const answer = { challengeId, code, at: later(1), key: deriveKey('another secret', 'totp'), party, ...where };
    await expect(meetChallenge(db, answer)).rejects.toMatchObject(refused);
  });

  test('has to be met within five minutes, and once', async () => {
    const person = await enrolled();
    const expired = await challenge(person.userId);
    expect(Date.parse(expired.expiresAt) - Date.now()).toBeLessThanOrEqual(5 * 60 * SECOND);
    await db.update(loginChallenges).set({ expiresAt: sql`now()` }).where(eq(loginChallenges.userId, person.userId));
    await expect(challenged(db, expired.id)).rejects.toMatchObject(refused);
    await expect(meet(expired.id, codeOf(person.secret, later(1)), later(1))).rejects.toMatchObject(refused);
    const met = await challenge(person.userId);
    await meet(met.id, codeOf(person.secret, later(2)), later(2));
    await expect(meet(met.id, codeOf(person.secret, later(3)), later(3))).rejects.toMatchObject(refused);
    await expect(challenged(db, 'nothing of ours')).rejects.toMatchObject(refused);
    await forgetOldChallenges(db);
    const left = await db.select().from(loginChallenges).where(eq(loginChallenges.userId, person.userId));
    expect(left).toHaveLength(1);
  });

  test('is void once the password was replaced, and the code is not spent by it', async () => {
    const person = await enrolled();
    const { userId, sessionId } = person;
    const { id } = await challenge(userId);
    await changePassword(db, userId, { currentHash: passwordHash, passwordHash: 'new', sessionId });
    const code = codeOf(person.secret, later(1));
    await expect(meet(id, code, later(1))).rejects.toMatchObject(refused);
    expect(await meet((await challenge(userId, 'new')).id, code, later(1))).toMatchObject({ secondFactor: 'totp' });
  });
});

describe('giving it up', () => {
  const remove = ({ userId, sessionId }: Enrolled, code: string, at = later(1)) =>
    removeTotp(db, userId, { code, at, key, passwordHash, sessionId });

  test.each(['student', 'admin'] as const)('ends what it must, for a %s', async (role) => {
    const person = await enrolled();
    const { userId, secret, sessionId } = person;
    await db.update(users).set({ role }).where(eq(users.id, userId));
    const other = await meetNow(person, 1);
    const waiting = await challenge(userId);
    await remove(person, codeOf(secret, later(2)), later(2));
    expect(await isSessionOpen(db, userId, other.sessionId)).toBe(false);
    expect(await isSessionOpen(db, userId, sessionId)).toBe(role === 'student');
    await expect(meet(waiting.id, codeOf(secret, later(3)), later(3))).rejects.toMatchObject(refused);
    await expect(signIn(userId)).resolves.toBeDefined();
    expect(await typesOf(userId)).toEqual(expect.arrayContaining(['UserSecondFactorAdded', 'UserSecondFactorRemoved']));
    expect(await db.select().from(recoveryCodes).where(eq(recoveryCodes.userId, userId))).toEqual([]);
  });

  test('the session that goes on shows none any more', async () => {
    const person = await enrolled();
    await remove(person, person.codes[0] ?? '');
    expect(await rotateRefreshToken(db, person.refreshToken)).toMatchObject({ secondFactor: null });
  });

  test('needs a code that was not used, and the password of now', async () => {
    const person = await enrolled();
    await expect(remove(person, codeOf(person.secret, NOW), NOW)).rejects.toMatchObject(wrongCode);
    await db.update(users).set({ passwordHash: 'new' }).where(eq(users.id, person.userId));
    const errors = [expect.objectContaining({ path: 'password' })];
    await expect(remove(person, person.codes[0] ?? '')).rejects.toMatchObject({ more: { errors } });
    await expect(signIn(person.userId)).rejects.toMatchObject(refused);
  });

  test('is not for who has none', async () => {
    const userId = await activeUser(db);
    const { sessionId } = await signIn(userId);
    const { secret } = await startTotp(db, userId, { passwordHash, key });
    const removing = removeTotp(db, userId, { code: codeOf(secret, NOW), at: NOW, key, passwordHash, sessionId });
    await expect(removing).rejects.toMatchObject({ code: 'invalid_state' });
    const confirming = confirmTotp(db, await activeUser(db), { code: '123456', at: NOW, key, sessionId });
    await expect(confirming).rejects.toMatchObject({ code: 'invalid_state' });
  });
});

describe('a reset of the password', () => {
  const reset = async (userId: string) => {
    const { token } = await issueReset(db, userId, `${userId}/${HOUR}`, deriveKey('platform', 'password-reset'));
    await resetPassword(db, token, 'new');
  };

  test('is no way around a second factor', async () => {
    const { userId, secret } = await enrolled();
    await db.update(users).set({ emailVerifiedAt: sql`now()` }).where(eq(users.id, userId));
    await reset(userId);
    const session = { userId, isFirst: false, proof: { passwordHash: 'new' }, ...where };
    await expect(openSession(db, session)).rejects.toMatchObject(refused);
    const { id } = await challenge(userId, 'new');
    expect(await meet(id, codeOf(secret, later(1)), later(1))).toMatchObject({ secondFactor: 'totp' });
  });

  test('that is the first proof of the address takes one away that somebody else may have set up', async () => {
    const { userId } = await enrolled();
    await reset(userId);
    const session = { userId, isFirst: false, proof: { passwordHash: 'new' }, ...where };
    await expect(openSession(db, session)).resolves.toBeDefined();
    expect(await typesOf(userId)).toContain('UserSecondFactorRemoved');
  });
});

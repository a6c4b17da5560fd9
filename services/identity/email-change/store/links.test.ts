import { eq, sql } from 'drizzle-orm';
import {
  emailChanges,
  loginAddresses,
  passkeys,
  passwordResets,
  totpFactors,
  userIdentities,
  userSessions,
} from '../../../../db/schema/identity';
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
  revertToken,
  setStanding,
} from '../../../../tests/support/email-changes';
import { eventsOf, step } from '../../../../tests/support/users';
import { listIdentities } from '../../oidc/store/identities';
import { listPasskeys } from '../../store/passkeys';
import { issueReset } from '../../store/passwords';
import { openSession } from '../../store/sessions';
import { hasSecondFactor } from '../../store/totp';
import { confirmEmailChange, issueConfirmLink, issueRevertLink, revertEmailChange } from './links';
import { withdrawEmailChange } from './saga-steps';

let database: TestDatabase;
let db: TestDatabase['db'];

beforeAll(async () => {
  database = await createTestDatabase('identity');
  db = database.db;
});

afterAll(() => database.drop());

const invalid = { code: 'invalid_token' };
const statusOf = async (id: string) => (await changeOf(db, id)).status;
const revert = (token: string) => revertEmailChange(db, token);
const openSessions = async (userId: string) =>
  (await db.select().from(userSessions).where(eq(userSessions.userId, userId))).filter(({ endedAt }) => !endedAt);
const signIn = (userId: string, passwordHash = HASH) =>
  openSession(db, { userId, isFirst: false, proof: { passwordHash }, userAgent: null, address: '203.0.113.7' });
/** Lets the time of both links be over but for so many minutes. */
const age = (id: string, minutesLeft: number) =>
  db
    .update(emailChanges)
    .set({
      confirmUntil: sql`now() + make_interval(mins => ${minutesLeft})`,
      revertUntil: sql`case when revert_until is not null then now() + make_interval(mins => ${minutesLeft}) end`,
    })
    .where(eq(emailChanges.id, id));

describe('the link to the new address', () => {
  test('is the same for a repeated step, for 24 hours, and nothing of it is stored but a hash', async () => {
    const { requestId: id, userId } = await askedChange(db);
    const issue = () => issueConfirmLink(db, step(`email-change:${id}/ask`), id, Buffer.alloc(32));
    const { link } = await issue();
    expect(await issue()).toEqual({ link });
    expect(link?.userId).toBe(userId);
    expect(Buffer.from(link?.token ?? '', 'base64url')).toHaveLength(32);
    expect(Math.abs(Date.parse(link?.expiresAt ?? '') - Date.now() - 24 * 3_600_000)).toBeLessThan(60_000);
    const stored = await database.sql`select c.*, k.* from email_changes c, idempotency_keys k where c.id = ${id}`;
    expect(JSON.stringify(stored)).not.toContain(link?.token);
  });

  test('confirms the change, and gives the same answer again, to two at once as well', async () => {
    const { requestId: id } = await askedChange(db);
    const token = await confirmToken(db, id);
    const spent = await Promise.all([confirmEmailChange(db, token), confirmEmailChange(db, token)]);
    expect(spent).toEqual([{ id }, { id }]);
    expect(await statusOf(id)).toBe('confirmed');
    for (const later of ['changed', 'kept', 'taken'] as const) {
      await setStanding(db, id, later);
      expect(await confirmEmailChange(db, token)).toEqual({ id });
      expect(await statusOf(id)).toBe(later);
    }
  });

  test('is void when the change was replaced, made void, withdrawn or has expired, and when it is too late', async () => {
    const { requestId: id } = await askedChange(db);
    const token = await confirmToken(db, id);
    for (const status of ['replaced', 'void', 'withdrawn', 'expired', 'reverting', 'reverted'] as const) {
      await setStanding(db, id, status);
      await expect(confirmEmailChange(db, token)).rejects.toMatchObject(invalid);
      expect(await statusOf(id)).toBe(status);
    }
    await setStanding(db, id, 'asked');
    await age(id, 0);
    await expect(confirmEmailChange(db, token)).rejects.toMatchObject(invalid);
    await age(id, 1);
    await confirmEmailChange(db, token);
    await expect(confirmEmailChange(db, 'x'.repeat(43))).rejects.toMatchObject(invalid);
  });

  test('is none once nothing is to be confirmed, and none after its undo', async () => {
    const { requestId: id } = await askedChange(db);
    await setStanding(db, id, 'replaced');
    const issue = () => issueConfirmLink(db, step(`email-change:${id}/ask`), id, Buffer.alloc(32));
    for (let n = 0; n < 2; n++) expect(await issue()).toEqual({ link: null });
    const { requestId: other } = await askedChange(db);
    const token = await confirmToken(db, other);
    await withdrawEmailChange(db, step(undoKeyOf(`email-change:${other}/ask`)), other);
    await expect(confirmEmailChange(db, token)).rejects.toMatchObject(invalid);
    await expect(confirmToken(db, other)).rejects.toMatchObject({ code: 'undone' });
  });
});

describe('the link to the address of before', () => {
  test('signs everybody out at once, and leaves no password and no link by which somebody could come back', async () => {
    const { requestId: id, userId } = await madeChange(db);
    const session = await signIn(userId);
    await db.insert(loginAddresses).values({ userId, addressHash: 'of the thief' });
    await issueReset(db, userId, 'forgot', Buffer.alloc(32));
    expect(await revert(await revertToken(db, id))).toEqual({ id });
    expect(await statusOf(id)).toBe('reverting');
    expect(await openSessions(userId)).toEqual([]);
    expect((await eventsOf(db, session.sessionId)).at(-1)).toMatchObject({
      type: 'UserLoggedOut',
      data: { reason: 'email_reverted' },
    });
    await expect(signIn(userId)).rejects.toMatchObject({ code: 'invalid_credentials' });
    const resets = await db.select().from(passwordResets).where(eq(passwordResets.userId, userId));
    expect(resets.filter(({ replacedAt }) => !replacedAt)).toEqual([]);
    expect(await db.select().from(loginAddresses).where(eq(loginAddresses.userId, userId))).toEqual([]);
    // The address follows, once the contact has it.
    expect(await accountOf(db, userId)).toMatchObject({ passwordHash: null });
  });

  test('takes what ways to sign in were added since the week before it was asked for, and no older one', async () => {
    const linked = async (userId: string, provider: string, daysAgo: number) =>
      db.insert(userIdentities).values({
        ...{ id: uuidv7(), userId, provider, issuer: 'https://idp.example', subject: uuidv7(), email: null },
        linkedAt: sql`now() - make_interval(days => ${daysAgo})`,
      });
    const authenticator = (userId: string, daysAgo: number) =>
      db.insert(totpFactors).values({
        ...{ userId, sealedSecret: { iv: '', ciphertext: '', tag: '' }, confirmedAt: new Date() },
        createdAt: sql`now() - make_interval(days => ${daysAgo})`,
      });
    const passkey = (userId: string, daysAgo: number) =>
      db.insert(passkeys).values({
        ...{ id: uuidv7(), userId, credentialId: uuidv7(), publicKey: '', counter: 0, transports: [] },
        createdAt: sql`now() - make_interval(days => ${daysAgo})`,
      });
    const [young, old] = [await madeChange(db), await madeChange(db)];
    await linked(young.userId, 'campus', 8);
    await linked(young.userId, 'google', 6);
    await authenticator(young.userId, 6);
    await authenticator(old.userId, 8);
    await passkey(old.userId, 8);
    await passkey(old.userId, 0);
    for (const { requestId } of [young, old]) await revert(await revertToken(db, requestId));
    expect(await listIdentities(db, young.userId)).toMatchObject([{ provider: 'campus' }]);
    expect(await hasSecondFactor(db, young.userId)).toBe(false);
    expect(await hasSecondFactor(db, old.userId)).toBe(true);
    expect(await listPasskeys(db, old.userId)).toHaveLength(1);
    const typesOf = async (userId: string) => (await eventsOf(db, userId)).map(({ type }) => type);
    expect(await typesOf(young.userId)).toEqual(
      expect.arrayContaining(['IdentityUnlinked', 'UserSecondFactorRemoved']),
    );
    expect(await typesOf(old.userId)).toContain('UserPasskeyRemoved');
  });

  test('gives the same answer again, and takes nothing back twice', async () => {
    const { requestId: id, userId } = await madeChange(db);
    const token = await revertToken(db, id);
    await revert(token);
    await db.execute(sql`update users set password_hash = 'chosen since' where id = ${userId}`);
    expect(await revert(token)).toEqual({ id });
    await setStanding(db, id, 'reverted');
    expect(await revert(token)).toEqual({ id });
    expect(await accountOf(db, userId)).toMatchObject({ passwordHash: 'chosen since' });
  });

  test('works for seven days, and no longer', async () => {
    const { requestId: id } = await madeChange(db);
    const { revertUntil } = await changeOf(db, id);
    expect(Math.abs((revertUntil?.getTime() ?? 0) - Date.now() - 7 * 86_400_000)).toBeLessThan(60_000);
    const token = await revertToken(db, id);
    await age(id, 0);
    await expect(revert(token)).rejects.toMatchObject(invalid);
    await age(id, 1);
    await revert(token);
  });

  test.each(['kept', 'void'] as const)('is void once the change is %s', async (status) => {
    const { requestId: id, userId } = await madeChange(db);
    const token = await revertToken(db, id);
    await setStanding(db, id, status);
    await expect(revert(token)).rejects.toMatchObject(invalid);
    expect(await accountOf(db, userId)).toMatchObject({ passwordHash: HASH });
    const other = (await askedChange(db)).requestId;
    const issue = () => issueRevertLink(db, step(`email-change:${other}/tell`), other, Buffer.alloc(32));
    for (let n = 0; n < 2; n++) expect(await issue()).toEqual({ link: null });
  });

  test('makes void what changes came after it, with their links, and leaves those before it', async () => {
    const first = await madeChange(db);
    const { userId } = first;
    const second = await madeChange(db, { userId });
    const third = await madeChange(db, { userId });
    const asked = await askedChange(db, { userId });
    const [ofSecond, ofThird] = [await revertToken(db, second.requestId), await revertToken(db, third.requestId)];
    const toConfirm = await confirmToken(db, asked.requestId);
    await revert(ofSecond);
    const standing = [first, second, third, asked].map(({ requestId }) => statusOf(requestId));
    expect(await Promise.all(standing)).toEqual(['changed', 'reverting', 'void', 'void']);
    for (const token of [ofThird]) await expect(revert(token)).rejects.toMatchObject(invalid);
    await expect(confirmEmailChange(db, toConfirm)).rejects.toMatchObject(invalid);
    const ofFirst = await revertToken(db, first.requestId);
    await expect(revert(ofFirst)).rejects.toMatchObject({ code: 'conflict' });
    await setStanding(db, second.requestId, 'reverted');
    expect(await revert(ofFirst)).toEqual({ id: first.requestId });
  });
});

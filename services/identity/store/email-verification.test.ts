import { eq } from 'drizzle-orm';
import { emailVerifications } from '../../../db/schema/identity';
import { uuidv7 } from '../../../platform/ids';
import { deriveKey } from '../../../platform/sealing';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/database';
import { activeUser, eventsOf } from '../../../tests/support/users';
import { hashToken } from '../secrets';
import { forgetOldVerifications, verifyEmail } from './email-verification';
import { issueEmailVerification } from './saga-steps';
import { readUser } from './users';

let database: TestDatabase;
let db: TestDatabase['db'];

beforeAll(async () => {
  database = await createTestDatabase('identity');
  db = database.db;
});

afterAll(() => database.drop());

describe('verifying an e-mail address', () => {
  const secret = deriveKey('platform', 'email-verification');

  test('a token is stored as a hash only, lives a day and works once', async () => {
    const userId = await activeUser(db);
    const { token, expiresAt } = await issueEmailVerification(db, userId, 'key-1', secret);
    const rows = await db.select().from(emailVerifications).where(eq(emailVerifications.userId, userId));
    expect(JSON.stringify(rows)).not.toContain(token);
    expect(rows).toMatchObject([{ tokenHash: hashToken(token), usedAt: null }]);
    expect(Math.abs(Date.parse(expiresAt) - Date.now() - 86_400_000)).toBeLessThan(60_000);
    await verifyEmail(db, token);
    expect(await readUser(db, userId)).toMatchObject({ emailVerified: true });
    expect((await eventsOf(db, userId)).at(-1)).toMatchObject({ type: 'UserEmailVerified', data: { userId } });
    await expect(verifyEmail(db, token)).rejects.toMatchObject({ code: 'invalid_token' });
  });

  test('the same command gives the same token, a new one replaces what was not used', async () => {
    const userId = await activeUser(db);
    const first = await issueEmailVerification(db, userId, 'key-1', secret);
    expect(await issueEmailVerification(db, userId, 'key-1', secret)).toEqual(first);
    const second = await issueEmailVerification(db, userId, 'key-2', secret);
    expect(second.token).not.toBe(first.token);
    expect(await issueEmailVerification(db, userId, 'key-1', secret)).toEqual(first); // repeated late
    await expect(verifyEmail(db, first.token)).rejects.toMatchObject({ code: 'invalid_token' });
    await verifyEmail(db, second.token);
    expect(await readUser(db, userId)).toMatchObject({ emailVerified: true });
  });

  test('a second proof of an address that is proven is accepted and told to nobody', async () => {
    const userId = await activeUser(db);
    await verifyEmail(db, (await issueEmailVerification(db, userId, 'key-1', secret)).token);
    await verifyEmail(db, (await issueEmailVerification(db, userId, 'key-2', secret)).token);
    expect((await eventsOf(db, userId)).filter(({ type }) => type === 'UserEmailVerified')).toHaveLength(1);
  });

  test('of ten uses of one token at once one counts', async () => {
    const userId = await activeUser(db);
    const { token } = await issueEmailVerification(db, userId, 'key-1', secret);
    const uses = await Promise.allSettled(Array.from({ length: 10 }, () => verifyEmail(db, token)));
    expect(uses.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect((await eventsOf(db, userId)).filter(({ type }) => type === 'UserEmailVerified')).toHaveLength(1);
  });

  test('an expired token and one that never was prove nothing', async () => {
    const userId = await activeUser(db);
    const { token } = await issueEmailVerification(db, userId, 'key-1', secret);
    await db
      .update(emailVerifications)
      .set({ expiresAt: new Date(Date.now() - 1_000) })
      .where(eq(emailVerifications.userId, userId));
    await expect(verifyEmail(db, token)).rejects.toMatchObject({ code: 'invalid_token' });
    await expect(verifyEmail(db, 'never issued')).rejects.toMatchObject({ code: 'invalid_token' });
    await expect(issueEmailVerification(db, uuidv7(), 'key', secret)).rejects.toMatchObject({ code: 'not_found' });
    expect(await readUser(db, userId)).toMatchObject({ emailVerified: false });
  });

  test('tokens are forgotten a month after they expired', async () => {
    const userId = await activeUser(db);
    await issueEmailVerification(db, userId, 'key-1', secret);
    await forgetOldVerifications(db);
    expect(await db.select().from(emailVerifications).where(eq(emailVerifications.userId, userId))).toHaveLength(1);
    await db
      .update(emailVerifications)
      .set({ expiresAt: new Date(Date.now() - 31 * 86_400_000) })
      .where(eq(emailVerifications.userId, userId));
    await forgetOldVerifications(db);
    expect(await db.select().from(emailVerifications).where(eq(emailVerifications.userId, userId))).toEqual([]);
  });
});

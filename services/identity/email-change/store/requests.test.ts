import { eq } from 'drizzle-orm';
import { emailChanges } from '../../../../db/schema/identity';
import { uuidv7 } from '../../../../platform/ids';
import { createTestDatabase, type TestDatabase } from '../../../../tests/support/database';
import {
  accountOf,
  askedChange,
  changeOf,
  HASH,
  provenUser,
  setStanding,
} from '../../../../tests/support/email-changes';
import { uniqueEmail } from '../../../../tests/support/users';
import { changePassword, issueReset, resetPassword } from '../../store/passwords';
import { storeEmailChange } from './requests';

let database: TestDatabase;
let db: TestDatabase['db'];

beforeAll(async () => {
  database = await createTestDatabase('identity');
  db = database.db;
});

afterAll(() => database.drop());

const ask = (userId: string, email = uniqueEmail(), currentHash = HASH) =>
  storeEmailChange(db, userId, { email, currentHash, sessionId: uuidv7() });
const statusesOf = async (userId: string) =>
  (await db.select().from(emailChanges).where(eq(emailChanges.userId, userId)).orderBy(emailChanges.createdAt)).map(
    ({ status }) => status,
  );

test('a request is stored with both addresses, and changes nothing', async () => {
  const { requestId, userId, from, to } = await askedChange(db);
  expect(await changeOf(db, requestId)).toMatchObject({
    ...{ userId, fromEmail: from, toEmail: to, status: 'asked' },
    ...{ confirmHash: null, revertHash: null, sagaStartedAt: null },
  });
  expect(await accountOf(db, userId)).toMatchObject({ email: from });
});

test('a newer request replaces one that was not confirmed, and says which', async () => {
  const first = await askedChange(db);
  const second = await ask(first.userId);
  expect(second?.replaced).toEqual([first.requestId]);
  expect(await statusesOf(first.userId)).toEqual(['replaced', 'asked']);
});

test('of requests at once the last one waits, and all others are replaced', async () => {
  const userId = await provenUser(db);
  const asked = await Promise.all(Array.from({ length: 6 }, () => ask(userId)));
  expect(asked.filter((each) => each)).toHaveLength(6);
  expect((await statusesOf(userId)).toSorted()).toEqual(['asked', ...Array(5).fill('replaced')]);
});

test.each(['confirmed', 'reverting'] as const)('none is taken while another one is %s', async (status) => {
  const { requestId, userId } = await askedChange(db);
  await setStanding(db, requestId, status);
  await expect(ask(userId)).rejects.toMatchObject({ code: 'conflict' });
  expect(await statusesOf(userId)).toEqual([status]);
});

test('one that is made leaves room for the next, and stays', async () => {
  const { requestId, userId } = await askedChange(db);
  await setStanding(db, requestId, 'changed');
  await ask(userId);
  expect(await statusesOf(userId)).toEqual(['changed', 'asked']);
});

test('the address that the account has is refused, in whatever letters', async () => {
  const { userId, from } = await askedChange(db);
  const refused = { code: 'validation_failed', more: { errors: [{ path: 'email' }] } };
  for (const same of [from, from.toUpperCase()]) await expect(ask(userId, same)).rejects.toMatchObject(refused);
});

test('an address that somebody has is refused, in whatever letters', async () => {
  const { from: taken } = await askedChange(db);
  const userId = await provenUser(db);
  for (const email of [taken, taken.toUpperCase()])
    await expect(ask(userId, email)).rejects.toMatchObject({ code: 'email_taken' });
  expect(await statusesOf(userId)).toEqual([]);
});

test('nothing is stored for a password that was replaced since it was checked, or for nobody', async () => {
  const userId = await provenUser(db);
  expect(await ask(userId, uniqueEmail(), 'hash of before')).toBeUndefined();
  await expect(ask(uuidv7())).rejects.toMatchObject({ code: 'not_found' });
  expect(await statusesOf(userId)).toEqual([]);
});

describe('another password', () => {
  const changed = (userId: string) =>
    changePassword(db, userId, { currentHash: HASH, passwordHash: 'new', sessionId: uuidv7() });
  const reset = async (userId: string) =>
    resetPassword(db, (await issueReset(db, userId, uuidv7(), Buffer.alloc(32))).token, 'new');

  test.each([
    ['that is chosen', changed],
    ['that is set by a link', reset],
  ])('%s makes void what is not made, and leaves what can be taken back', async (_, replace) => {
    for (const [status, then] of [
      ['asked', 'void'],
      ['confirmed', 'void'],
      ['changed', 'changed'],
      ['reverting', 'reverting'],
    ] as const) {
      const { requestId, userId } = await askedChange(db);
      await setStanding(db, requestId, status);
      await replace(userId);
      expect(await changeOf(db, requestId)).toMatchObject({ status: then });
    }
  });
});

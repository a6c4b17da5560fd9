import { eq, sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/postgres-js';
import { accountMails, users } from '../../../db/schema/identity';
import { uuidv7 } from '../../../platform/ids';
import { deriveKey } from '../../../platform/sealing';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/database';
import { activeUser, newUser, uniqueEmail } from '../../../tests/support/users';
import {
  beginMail,
  forgetOldMails,
  issueLink,
  markMailStarted,
  storeResetRequest,
  storeVerificationRequest,
  unstartedMails,
} from './account-mails';
import { verifyEmail } from './email-verification';
import { checkReset } from './passwords';
import { storePendingUser } from './sign-up';
import { lockUser } from './users';

let database: TestDatabase;
let db: TestDatabase['db'];

beforeEach(async () => {
  database = await createTestDatabase('identity');
  db = database.db;
});

afterEach(() => database.drop());

const keys = { reset: deriveKey('platform', 'reset'), verification: deriveKey('platform', 'verification') };
const link = (id: string) => issueLink(db, id, `account-mail:${id}/mail/link`, keys);
const rowOf = async (id: string) => (await db.select().from(accountMails).where(eq(accountMails.id, id)))[0];
const age = (id: string, seconds: number) =>
  db
    .update(accountMails)
    .set({ createdAt: sql`created_at - make_interval(secs => ${seconds})` })
    .where(eq(accountMails.id, id));

test('a request for a new password knows its user by an address in any case, and nothing else of them', async () => {
  const email = uniqueEmail();
  const userId = await activeUser(db, email);
  const id = await storeResetRequest(db, email.toUpperCase());
  expect(await rowOf(id)).toMatchObject({ purpose: 'password_reset', userId, sagaStartedAt: null });
  expect(JSON.stringify(await rowOf(id)).toLowerCase()).not.toContain(email);
  expect(await beginMail(db, id)).toEqual({ purpose: 'password_reset' });
  const { link: issued } = await link(id);
  expect(issued).toMatchObject({ purpose: 'password_reset', userId });
  await checkReset(db, issued?.token ?? '');
  expect(await link(id)).toEqual({ link: issued });
});

test('of an address without an account, with a pending one, and of any text there is a request, and nothing to send', async () => {
  const pending = uniqueEmail();
  await storePendingUser(db, newUser(pending));
  for (const typed of [uniqueEmail(), pending, '', "' or true --"]) {
    const id = await storeResetRequest(db, typed);
    expect(await rowOf(id)).toMatchObject({ purpose: 'password_reset', userId: null });
    expect(await beginMail(db, id)).toEqual({ purpose: null });
    expect(await link(id)).toEqual({ link: null });
  }
});

test('the same statement is sent for an address with an account, with a pending one and with none', async () => {
  const [active, pending] = [uniqueEmail(), uniqueEmail()];
  await activeUser(db, active);
  await storePendingUser(db, newUser(pending));
  const asked: string[][] = [];
  for (const email of [active, pending, uniqueEmail()]) {
    const texts: string[] = [];
    const logger = { logQuery: (text: string) => void texts.push(text) };
    await storeResetRequest(drizzle(database.sql, { logger }), email);
    asked.push(texts);
  }
  expect(asked[0]).toHaveLength(1);
  expect(asked).toEqual([asked[0], asked[0], asked[0]]);
});

test('a request waits for no lock of its user, who alone would be held up by it', async () => {
  const email = uniqueEmail();
  const userId = await activeUser(db, email);
  await db.transaction(async (tx) => {
    await lockUser(tx, userId);
    expect(await rowOf(await storeResetRequest(db, email))).toMatchObject({ userId });
  });
});

test('a request that proves an address is for who has not proven it yet', async () => {
  const userId = await activeUser(db);
  const [first, second] = [await storeVerificationRequest(db, userId), await storeVerificationRequest(db, userId)];
  expect(await beginMail(db, first)).toEqual({ purpose: 'email_verification' });
  const { link: issued } = await link(first);
  expect(issued).toMatchObject({ purpose: 'email_verification', userId });
  await verifyEmail(db, issued?.token ?? '');
  expect(await beginMail(db, second)).toEqual({ purpose: null });
  expect(await link(second)).toEqual({ link: null });
});

test('after half an hour nothing is sent any more: its person has asked again', async () => {
  const userId = await activeUser(db);
  const id = await storeVerificationRequest(db, userId);
  await age(id, 30 * 60 - 5);
  expect(await beginMail(db, id)).toEqual({ purpose: 'email_verification' });
  await age(id, 10);
  expect(await beginMail(db, id)).toEqual({ purpose: null });
  expect(await link(id)).toEqual({ link: null });
  expect(await beginMail(db, uuidv7())).toEqual({ purpose: null });
});

test('a mail is its person’s, whatever their address is by now, and nobody’s once they are gone', async () => {
  const email = uniqueEmail();
  const userId = await activeUser(db, email);
  const id = await storeResetRequest(db, email);
  await link(id);
  await db.update(users).set({ email: uniqueEmail() }).where(eq(users.id, userId));
  expect(await link(id)).toMatchObject({ link: { purpose: 'password_reset', userId } });
  await db.delete(users).where(eq(users.id, userId));
  expect(await link(id)).toEqual({ link: null });
});

test('the sweep finds what nobody has begun, the oldest first, unless it is too young or too old', async () => {
  const ids = [];
  for (const seconds of [10, 40, 30, 30 * 60 + 1]) {
    const id = await storeResetRequest(db, uniqueEmail());
    await age(id, seconds);
    ids.push(id);
  }
  const [, second, third] = ids;
  expect(await unstartedMails(db, 10)).toEqual([second, third]);
  expect(await unstartedMails(db, 1)).toEqual([second]);
  await markMailStarted(db, String(second));
  await beginMail(db, String(third));
  expect(await unstartedMails(db, 10)).toEqual([]);
  const began = (await rowOf(String(third)))?.sagaStartedAt;
  await beginMail(db, String(third));
  expect((await rowOf(String(third)))?.sagaStartedAt).toEqual(began);
});

test('requests of a month ago are forgotten', async () => {
  const [old, young] = [await storeResetRequest(db, uniqueEmail()), await storeResetRequest(db, uniqueEmail())];
  await age(old, 31 * 86_400);
  await forgetOldMails(db);
  expect(await db.select().from(accountMails)).toMatchObject([{ id: young }]);
});

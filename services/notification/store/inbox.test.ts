import { uuidv7 } from '../../../platform/ids';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/database';
import { announcement } from '../../../tests/support/notifications';
import { claimDue, recordOutcome } from './deliveries';
import { listNotifications, markAllRead, markRead } from './inbox';
import { recordNotification } from './saga-steps';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase('notification');
});
afterAll(() => database.drop());

const told = (recipientId = uuidv7()) => recordNotification(database.db, announcement({ recipientId }));
const rowOf = async (id: string) => (await database.sql`select * from notifications where id = ${id}`)[0];

describe('the list', () => {
  test('gives every notification once, newest first, page by page', async () => {
    const userId = uuidv7();
    const made: string[] = [];
    for (let index = 0; index < 5; index++) made.push((await told(userId)).id);
    const seen: string[] = [];
    let before: string | undefined;
    do {
      const page = await listNotifications(database.db, userId, { before, limit: 2, unreadOnly: false });
      seen.push(...page.items.map((item) => item.id));
      before = page.nextId ?? undefined;
    } while (before);
    expect(seen).toEqual(made.reverse());
  });

  test('is empty, without a next page, for somebody who was told nothing', async () => {
    const page = await listNotifications(database.db, uuidv7(), {
      before: undefined,
      limit: 2,
      unreadOnly: true,
    });
    expect(page).toEqual({ items: [], nextId: null, unreadCount: 0 });
  });

  test('knows what is unread, and reading is remembered from the first time', async () => {
    const userId = uuidv7();
    const [first, second] = [await told(userId), await told(userId)];
    const read = await markRead(database.db, userId, first.id);
    expect(read.readAt).not.toBeNull();
    expect((await markRead(database.db, userId, first.id)).readAt).toBe(read.readAt);
    const page = await listNotifications(database.db, userId, { before: undefined, limit: 10, unreadOnly: true });
    expect(page).toMatchObject({ items: [{ id: second.id }], unreadCount: 1 });
    expect(await markAllRead(database.db, userId)).toBe(1);
    expect(await markAllRead(database.db, userId)).toBe(0);
    expect((await markRead(database.db, userId, first.id)).readAt).toBe(read.readAt);
  });

  test('says of each what became of its mail, and when it was sent', async () => {
    const userId = uuidv7();
    const facts = { keyId: uuidv7(), iv: 'iv', ciphertext: 'sealed', tag: 'tag' };
    const sent = await recordNotification(database.db, announcement({ recipientId: userId, facts }));
    const [sending] = await claimDue(database.db, { keyId: facts.keyId, most: 1, except: [] });
    await recordOutcome(database.db, { id: sent.id, attempt: sending?.attempt ?? 0 }, { kind: 'sent', smtpCode: 250 });
    const waiting = await told(userId);
    const { items } = await listNotifications(database.db, userId, { before: undefined, limit: 10, unreadOnly: false });
    expect(items.map(({ id, status, sentAt }) => ({ id, status, sentAt }))).toEqual([
      { id: waiting.id, status: 'pending', sentAt: null },
      { id: sent.id, status: 'sent', sentAt: new Date((await rowOf(sent.id))?.sent_at).toISOString() },
    ]);
  });

  test('hides a notification from everybody but its recipient', async () => {
    const { id } = await told();
    await expect(markRead(database.db, uuidv7(), id)).rejects.toMatchObject({ code: 'not_found' });
    expect(await markAllRead(database.db, uuidv7())).toBe(0);
    expect(await rowOf(id)).toMatchObject({ read_at: null });
  });
});

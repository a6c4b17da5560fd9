import { sql } from 'drizzle-orm';
import { notificationDeliveryLog, notifications } from '../../db/schema/notification';
import { uuidv7 } from '../../platform/ids';
import { createTestDatabase, type TestDatabase } from '../../tests/support/database';
import type { SendOutcome } from './rules';
import {
  type Announcement,
  claimSend,
  createPreferences,
  listNotifications,
  markAllRead,
  markRead,
  readPreferences,
  recordOutcome,
  removePreferences,
  type Sending,
  writePreferences,
} from './store';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase('notification');
});
afterAll(() => database.drop());

const SENT: SendOutcome = { kind: 'sent', smtpCode: 250 };
const REFUSED: SendOutcome = { kind: 'refused', smtpCode: 550, errorCode: 'EENVELOPE' };
const UNAVAILABLE: SendOutcome = { kind: 'unavailable', smtpCode: null, errorCode: 'ESOCKET' };

function announcement(change: Partial<Announcement> = {}): Announcement {
  return {
    businessKey: `booking:${uuidv7()}/confirmed/student`,
    recipientId: uuidv7(),
    template: 'booking_confirmed_student',
    title: 'Confirmed',
    message: 'Your session is confirmed.',
    bookingId: uuidv7(),
    paymentId: null,
    ...change,
  };
}

async function claimed(message: Announcement): Promise<Sending> {
  const claim = await claimSend(database.db, message);
  if (claim.kind !== 'send') throw new Error(`settled: ${claim.notification.status}`);
  return claim.sending;
}

const endLease = (id: string) =>
  database.db.execute(sql`update notifications set leased_until = now() - interval '1 second' where id = ${id}`);
const eventsOf = (id: string) => database.sql`select type, data from events where stream_id = ${id} order by version`;
const logOf = (id: string) =>
  database.sql`select attempt, outcome, smtp_code, error_code, finished_at from notification_delivery_log where notification_id = ${id} order by attempt`;
const rowOf = async (id: string) => (await database.sql`select * from notifications where id = ${id}`)[0];

describe('sending', () => {
  test('of 20 requests at once with one business key exactly one may send', async () => {
    const message = announcement();
    const results = await Promise.allSettled(Array.from({ length: 20 }, () => claimSend(database.db, message)));
    const won = results.filter((result) => result.status === 'fulfilled');
    expect(won).toHaveLength(1);
    for (const result of results)
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'idempotency_in_progress' });
  });

  test('of 20 requests at once whose sender died exactly one takes over', async () => {
    const message = announcement();
    const { id } = await claimed(message);
    await endLease(id);
    const results = await Promise.allSettled(Array.from({ length: 20 }, () => claimSend(database.db, message)));
    expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
    expect(await logOf(id)).toMatchObject([
      { attempt: 1, outcome: 'unknown' },
      { attempt: 2, outcome: 'unknown' },
    ]);
  });

  test.each([
    [SENT, 'sent', 'NotificationSent'],
    [REFUSED, 'failed', 'NotificationFailed'],
  ])('an outcome that is final (%j) settles the key for ever, with one event', async (outcome, status, type) => {
    const message = announcement();
    const attempt = await claimed(message);
    expect(await recordOutcome(database.db, attempt, outcome)).toEqual({ id: attempt.id, status });
    expect(await recordOutcome(database.db, attempt, outcome)).toEqual({ id: attempt.id, status });
    expect(await claimSend(database.db, message)).toEqual({
      kind: 'settled',
      notification: { id: attempt.id, status },
    });
    expect(await eventsOf(attempt.id)).toEqual([
      {
        type,
        data: {
          notificationId: attempt.id,
          recipientId: message.recipientId,
          template: message.template,
          channel: 'email',
          bookingId: message.bookingId,
          paymentId: null,
        },
      },
    ]);
  });

  test('a failure that may pass ends the lease, so that the next request tries at once', async () => {
    const message = announcement();
    const first = await claimed(message);
    expect(await recordOutcome(database.db, first, UNAVAILABLE)).toEqual({ id: first.id, status: 'pending' });
    const second = await claimed(message);
    expect(second).toEqual({ ...first, attempt: 2 });
    await recordOutcome(database.db, second, SENT);
    expect(await logOf(first.id)).toEqual([
      { attempt: 1, outcome: 'unavailable', smtp_code: null, error_code: 'ESOCKET', finished_at: expect.any(String) },
      { attempt: 2, outcome: 'sent', smtp_code: 250, error_code: null, finished_at: expect.any(String) },
    ]);
    expect(await eventsOf(first.id)).toHaveLength(1);
  });

  test('a late failure of an earlier attempt does not end the lease of the one that runs', async () => {
    const message = announcement();
    const first = await claimed(message);
    await endLease(first.id);
    await claimed(message);
    await recordOutcome(database.db, first, UNAVAILABLE);
    await expect(claimSend(database.db, message)).rejects.toMatchObject({ code: 'idempotency_in_progress' });
  });

  test('a late success of an earlier attempt settles the message, and a later refusal does not unsettle it', async () => {
    const message = announcement();
    const first = await claimed(message);
    await endLease(first.id);
    const second = await claimed(message);
    await recordOutcome(database.db, first, SENT);
    expect(await recordOutcome(database.db, second, REFUSED)).toEqual({ id: first.id, status: 'sent' });
    expect(await eventsOf(first.id)).toMatchObject([{ type: 'NotificationSent' }]);
  });

  test('a retry brings the newest words, a settled message keeps its own', async () => {
    const message = announcement();
    const first = await claimed(message);
    await recordOutcome(database.db, first, UNAVAILABLE);
    const second = await claimed({ ...message, title: 'Confirmed again' });
    await recordOutcome(database.db, second, SENT);
    await claimSend(database.db, { ...message, title: 'Confirmed a third time' });
    expect(await rowOf(first.id)).toMatchObject({ title: 'Confirmed again' });
  });

  test.each([{ template: 'booking_confirmed_tutor' as const }, { recipientId: uuidv7() }])(
    'a key that stands for another message is refused (%j)',
    async (change) => {
      const message = announcement();
      await recordOutcome(database.db, await claimed(message), SENT);
      await expect(claimSend(database.db, { ...message, ...change })).rejects.toMatchObject({
        code: 'idempotency_key_reused',
      });
    },
  );

  test('an outcome of a message that does not exist is refused', async () => {
    const attempt = { id: uuidv7(), attempt: 1, createdAt: new Date() };
    await expect(recordOutcome(database.db, attempt, SENT)).rejects.toMatchObject({ code: 'not_found' });
  });
});

describe('what the recipient chose', () => {
  const quiet = { reminders: { email: false, inApp: true }, reviewRequests: { email: false, inApp: false } };

  test('keeps an optional mail back for ever, and says so', async () => {
    const message = announcement({ template: 'booking_reminder_student' });
    await writePreferences(database.db, message.recipientId, quiet);
    const claim = await claimSend(database.db, message);
    expect(claim).toMatchObject({ kind: 'settled', notification: { status: 'suppressed' } });
    await writePreferences(database.db, message.recipientId, {
      ...quiet,
      reminders: { email: true, inApp: true },
    });
    expect(await claimSend(database.db, message)).toEqual(claim);
    if (claim.kind === 'settled') expect(await logOf(claim.notification.id)).toEqual([]);
  });

  test('counts at each attempt: a mail that waited for the server is not sent once it is unwanted', async () => {
    const message = announcement({ template: 'booking_reminder_student' });
    await recordOutcome(database.db, await claimed(message), UNAVAILABLE);
    await writePreferences(database.db, message.recipientId, quiet);
    expect(await claimSend(database.db, message)).toMatchObject({ notification: { status: 'suppressed' } });
  });

  test('never keeps back what is not optional', async () => {
    const message = announcement();
    await writePreferences(database.db, message.recipientId, quiet);
    expect(await claimSend(database.db, message)).toMatchObject({ kind: 'send' });
  });

  test('shows a suppressed mail in the list unless that is switched off as well', async () => {
    const userId = uuidv7();
    await writePreferences(database.db, userId, quiet);
    await claimSend(database.db, announcement({ recipientId: userId, template: 'booking_reminder_student' }));
    await claimSend(database.db, announcement({ recipientId: userId, template: 'booking_completed_student' }));
    const page = await listNotifications(database.db, userId, {
      before: undefined,
      limit: 10,
      unreadOnly: false,
    });
    expect(page.items.map((item) => item.type)).toEqual(['booking_reminder_student']);
  });

  test('is replaced whole: of two writers at once one stays', async () => {
    const userId = uuidv7();
    const on = { reminders: { email: true, inApp: true }, reviewRequests: { email: true, inApp: true } };
    const off = { reminders: { email: false, inApp: false }, reviewRequests: { email: false, inApp: false } };
    await Promise.all(
      Array.from({ length: 10 }, (_, index) => writePreferences(database.db, userId, index % 2 ? on : off)),
    );
    expect([on, off]).toContainEqual(await readPreferences(database.db, userId));
  });
});

describe('the preferences of a new user', () => {
  const request = (userId: string, step: string) => ({
    owner: 'service',
    key: `user:${userId}/${step}`,
    fingerprint: step,
  });

  test('are made once and undone, and a step that comes after its undo is refused', async () => {
    const userId = uuidv7();
    const make = () => createPreferences(database.db, request(userId, 'preferences'), userId);
    const undo = () => removePreferences(database.db, request(userId, 'preferences/undo'), userId);
    expect(await make()).toEqual(await make());
    await undo();
    await undo();
    expect(await database.sql`select 1 from notification_preferences where user_id = ${userId}`).toEqual([]);

    const late = uuidv7();
    await removePreferences(database.db, request(late, 'preferences/undo'), late);
    await expect(createPreferences(database.db, request(late, 'preferences'), late)).rejects.toMatchObject({
      code: 'undone',
    });
    expect(await database.sql`select 1 from notification_preferences where user_id = ${late}`).toEqual([]);
  });

  test('do not overwrite what the user chose meanwhile', async () => {
    const userId = uuidv7();
    const chosen = { reminders: { email: false, inApp: true }, reviewRequests: { email: true, inApp: true } };
    await writePreferences(database.db, userId, chosen);
    const reply = await createPreferences(database.db, request(userId, 'preferences'), userId);
    expect(reply).toEqual({ status: 201, body: chosen });
  });
});

describe('the list', () => {
  test('gives every notification once, newest first, page by page', async () => {
    const userId = uuidv7();
    const made: string[] = [];
    for (let index = 0; index < 5; index++) made.push((await claimed(announcement({ recipientId: userId }))).id);
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
    const [first, second] = [
      await claimed(announcement({ recipientId: userId })),
      await claimed(announcement({ recipientId: userId })),
    ];
    const read = await markRead(database.db, userId, first.id);
    expect(read.readAt).not.toBeNull();
    expect((await markRead(database.db, userId, first.id)).readAt).toBe(read.readAt);
    const page = await listNotifications(database.db, userId, { before: undefined, limit: 10, unreadOnly: true });
    expect(page).toMatchObject({ items: [{ id: second.id }], unreadCount: 1 });
    expect(await markAllRead(database.db, userId)).toBe(1);
    expect(await markAllRead(database.db, userId)).toBe(0);
    expect((await markRead(database.db, userId, first.id)).readAt).toBe(read.readAt);
  });

  test('hides a notification from everybody but its recipient', async () => {
    const { id } = await claimed(announcement());
    await expect(markRead(database.db, uuidv7(), id)).rejects.toMatchObject({ code: 'not_found' });
    expect(await markAllRead(database.db, uuidv7())).toBe(0);
    expect(await rowOf(id)).toMatchObject({ read_at: null });
  });
});

describe('the tables', () => {
  test('refuse states that cannot be', async () => {
    const { id } = await claimed(announcement());
    for (const change of [
      sql`update notifications set status = 'sent' where id = ${id}`,
      sql`update notifications set status = 'lost' where id = ${id}`,
      sql`update notifications set status = 'failed' where id = ${id}`,
      sql`update notification_delivery_log set outcome = 'sent' where notification_id = ${id}`,
    ])
      await expect(database.db.execute(change)).rejects.toMatchObject({ cause: { code: '23514' } });
  });

  test('have no column for an address or a body', () => {
    const columns = [...Object.keys(notifications), ...Object.keys(notificationDeliveryLog)].join(' ');
    expect(columns).not.toMatch(/mail|address|html|body|text|data/i);
  });
});

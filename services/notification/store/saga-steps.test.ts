import { sql } from 'drizzle-orm';
import { uuidv7 } from '../../../platform/ids';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/database';
import { announcement, contactOf, newKey, rowOfBefore } from '../../../tests/support/notifications';
import type { TemplateName } from '../contract';
import type { SendOutcome } from '../rules';
import { readContact } from './contacts';
import { claimDue, recordOutcome, type Sending, settleOverdue } from './deliveries';
import { listNotifications } from './inbox';
import { writePreferences } from './preferences';
import { createPreferences, recordNotification, removePreferences } from './saga-steps';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase('notification');
});
afterAll(() => database.drop());

const SENT: SendOutcome = { kind: 'sent', smtpCode: 250 };
const UNAVAILABLE: SendOutcome = { kind: 'unavailable', smtpCode: null, errorCode: 'ESOCKET' };

/** One person's notices of one booking, sealed with a key of their own, so that nobody else's are claimed. */
function notices() {
  const about = { recipientId: uuidv7(), bookingId: uuidv7() };
  const keyId: string = uuidv7();
  const sealed = (ciphertext: string) => ({ keyId, iv: 'iv', ciphertext, tag: 'tag' });
  const record = (
    template: TemplateName,
    change: { businessKey?: string; bookingId?: string; recipientId?: string } = {},
  ) => recordNotification(database.db, announcement({ ...about, template, facts: sealed(template), ...change }));
  const claim = () => claimDue(database.db, { keyId, most: 100, except: [] });
  return {
    about,
    sealed,
    record,
    claim,
    settle: () => settleOverdue(database.db, keyId),
    /** The one that is due. */
    async claimed(): Promise<Sending> {
      const [sending, ...more] = await claim();
      if (!sending || more.length > 0) throw new Error(`due are ${more.length + (sending ? 1 : 0)}`);
      return sending;
    },
    async statuses(): Promise<string[]> {
      const rows = await database.sql`
        select template, status from notifications where recipient_id = ${about.recipientId} order by id`;
      return rows.map(({ template, status }) => `${template} ${status}`);
    },
  };
}

const rowOf = async (id: string) => (await database.sql`select * from notifications where id = ${id}`)[0];

describe('a message', () => {
  test('asked for 20 times at once is recorded once, and all are told the same', async () => {
    const { record, claim } = notices();
    const businessKey = newKey();
    const replies = await Promise.all(
      Array.from({ length: 20 }, () => record('booking_confirmed_student', { businessKey })),
    );
    expect(new Set(replies.map(({ id, status }) => `${id} ${status}`)).size).toBe(1);
    expect(await claim()).toHaveLength(1);
  });

  test('asked for again, however late, changes nothing and gets the status of today', async () => {
    const { record, claimed, sealed, about } = notices();
    const businessKey = newKey();
    const first = await record('booking_confirmed_student', { businessKey });
    const again = { ...about, businessKey, title: 'Another', facts: sealed('another') };
    expect(await recordNotification(database.db, announcement(again))).toEqual(first);
    const sending = await claimed();
    expect(sending.facts.ciphertext).toBe('booking_confirmed_student');
    await recordOutcome(database.db, sending, SENT);
    expect(await recordNotification(database.db, announcement(again))).toEqual({ id: first.id, status: 'sent' });
    expect(await rowOf(first.id)).toMatchObject({ title: 'Confirmed', facts: null });
  });

  test.each([{ template: 'booking_confirmed_tutor' as const }, { recipientId: uuidv7() }])(
    'under the key of another message is refused (%j)',
    async (change) => {
      const message = announcement();
      await recordNotification(database.db, message);
      await expect(recordNotification(database.db, { ...message, ...change })).rejects.toMatchObject({
        code: 'idempotency_key_reused',
      });
    },
  );

  test('that is past its use when it is recorded is never sent, and keeps no facts', async () => {
    const usefulUntil = new Date(Date.now() - 1_000);
    const { id, status } = await recordNotification(database.db, announcement({ usefulUntil }));
    expect(status).toBe('expired');
    expect(await rowOf(id)).toMatchObject({ facts: null, due_at: null });
  });
});

describe('a newer notice', () => {
  test.each<[TemplateName, TemplateName, string]>([
    ['booking_requested_student', 'booking_confirmed_student', 'replaced'],
    ['booking_confirmed_student', 'booking_rescheduled_student', 'replaced'],
    ['booking_rescheduled_student', 'booking_rescheduled_student', 'replaced'],
    ['booking_reminder_student', 'booking_cancelled_student', 'replaced'],
    ['booking_reminder_student', 'booking_reminder_student', 'replaced'],
    ['booking_confirmed_student', 'booking_reminder_student', 'pending'],
    ['payment_receipt', 'payment_receipt', 'pending'],
    ['refund_succeeded', 'refund_succeeded', 'pending'],
    ['booking_confirmed_student', 'refund_succeeded', 'pending'],
    ['booking_confirmed_student', 'booking_completed_student', 'pending'],
  ])('after an unsent %s, %s leaves it %s', async (older, newer, status) => {
    const { record, statuses, claim } = notices();
    const first = await record(older);
    await record(newer);
    expect(await statuses()).toEqual([`${older} ${status}`, `${newer} pending`]);
    expect((await rowOf(first.id))?.facts === null).toBe(status === 'replaced');
    expect(await claim()).toHaveLength(status === 'replaced' ? 1 : 2);
  });

  test('leaves those of other bookings and people alone, and what was sent', async () => {
    const { record, claimed, statuses, claim } = notices();
    await record('booking_requested_student');
    await recordOutcome(database.db, await claimed(), SENT);
    await record('booking_requested_student', { bookingId: uuidv7() });
    await record('booking_requested_student', { recipientId: uuidv7() });
    await record('booking_confirmed_student');
    expect(await statuses()).toEqual([
      'booking_requested_student sent',
      'booking_requested_student pending',
      'booking_confirmed_student pending',
    ]);
    expect(await claim()).toHaveLength(3);
  });

  test('leaves an older one in the in-app list', async () => {
    const { record, about } = notices();
    await record('booking_requested_student');
    await record('booking_confirmed_student');
    const page = { before: undefined, limit: 10, unreadOnly: false };
    const { items } = await listNotifications(database.db, about.recipientId, page);
    expect(items.map(({ status }) => status)).toEqual(['pending', 'replaced']);
  });

  test.each<[SendOutcome, string]>([
    [SENT, 'sent'],
    [UNAVAILABLE, 'replaced'],
  ])('waits until an older one that is being sent has ended (%j)', async (outcome, status) => {
    const { record, claim, claimed, statuses } = notices();
    await record('booking_requested_student');
    const older = await claimed();
    await record('booking_confirmed_student');
    expect(await claim()).toEqual([]);
    expect(await recordOutcome(database.db, older, outcome)).toBe(status);
    expect((await claimed()).template).toBe('booking_confirmed_student');
    expect(await statuses()).toEqual([`booking_requested_student ${status}`, 'booking_confirmed_student pending']);
  });

  test('waits no longer than the lease of an older one whose sender died, and that is not sent again', async () => {
    const { record, claimed, statuses, settle } = notices();
    await record('booking_requested_student');
    const { id } = await claimed();
    await record('booking_confirmed_student');
    await database.db.execute(sql`update notifications set leased_until = now() where id = ${id}`);
    expect((await claimed()).template).toBe('booking_confirmed_student');
    await settle();
    expect(await statuses()).toEqual(['booking_requested_student replaced', 'booking_confirmed_student pending']);
    expect(await rowOf(id)).toMatchObject({ facts: null });
  });

  test('of two recorded at once is the one that stays; the other is replaced', async () => {
    const { record, statuses, claim } = notices();
    await Promise.all(Array.from({ length: 10 }, () => record('booking_rescheduled_student')));
    expect((await statuses()).filter((status) => status.endsWith('pending'))).toHaveLength(1);
    expect(await claim()).toHaveLength(1);
  });

  test('after which a booking is over is the last word: what a late step records is neither sent nor listed', async () => {
    const { record, claim, claimed, about } = notices();
    await record('booking_cancelled_student');
    await recordOutcome(database.db, await claimed(), SENT);
    for (const late of ['booking_confirmed_student', 'booking_reminder_student'] as const)
      expect(await record(late)).toMatchObject({ status: 'replaced' });
    expect(await claim()).toEqual([]);
    const page = { before: undefined, limit: 10, unreadOnly: false };
    const { items } = await listNotifications(database.db, about.recipientId, page);
    expect(items.map(({ type }) => type)).toEqual(['booking_cancelled_student']);
    expect(await record('refund_succeeded')).toMatchObject({ status: 'pending' });
  });
});

describe('a row that the code of before left pending', () => {
  test('is delivered once a repetition has brought its message, as the same notice', async () => {
    const { sealed, claim, claimed } = notices();
    const { id, ...row } = await rowOfBefore(database.sql);
    expect(await claim()).toEqual([]);
    const repeated = { ...row, facts: sealed('brought') };
    expect(await recordNotification(database.db, repeated)).toEqual({ id, status: 'pending' });
    expect(await recordNotification(database.db, { ...repeated, facts: sealed('late') })).toMatchObject({ id });
    const sending = await claimed();
    expect(sending).toMatchObject({ id, attempt: 2, facts: { ciphertext: 'brought' } });
    expect(await recordOutcome(database.db, sending, SENT)).toBe('sent');
  });

  test('and is sending has the caller come back', async () => {
    const { id: _, ...row } = await rowOfBefore(database.sql, { leased: true });
    await expect(recordNotification(database.db, row)).rejects.toMatchObject({ code: 'idempotency_in_progress' });
  });

  test('is replaced by a newer notice, and a repetition brings nothing any more', async () => {
    const { about, record, statuses } = notices();
    const { id, ...row } = await rowOfBefore(database.sql, about);
    await record('booking_rescheduled_student');
    expect(await statuses()).toEqual(['booking_confirmed_student replaced', 'booking_rescheduled_student pending']);
    expect(await recordNotification(database.db, row)).toEqual({ id, status: 'replaced' });
  });
});

describe('what the recipient chose', () => {
  const quiet = { reminders: { email: false, inApp: true }, reviewRequests: { email: false, inApp: false } };

  test('keeps an optional mail back for ever, and says so', async () => {
    const message = announcement({ template: 'booking_reminder_student' });
    await writePreferences(database.db, message.recipientId, quiet);
    const recorded = await recordNotification(database.db, message);
    expect(recorded).toMatchObject({ status: 'suppressed' });
    await writePreferences(database.db, message.recipientId, { ...quiet, reminders: { email: true, inApp: true } });
    expect(await recordNotification(database.db, message)).toEqual(recorded);
    expect(await rowOf(recorded.id)).toMatchObject({ facts: null, attempts: 0 });
  });

  test('never keeps back what is not optional', async () => {
    const message = announcement();
    await writePreferences(database.db, message.recipientId, quiet);
    expect(await recordNotification(database.db, message)).toMatchObject({ status: 'pending' });
  });

  test('shows a suppressed mail in the list unless that is switched off as well', async () => {
    const userId = uuidv7();
    await writePreferences(database.db, userId, quiet);
    for (const template of ['booking_reminder_student', 'booking_completed_student'] as const)
      await recordNotification(database.db, announcement({ recipientId: userId, template }));
    const page = await listNotifications(database.db, userId, { before: undefined, limit: 10, unreadOnly: false });
    expect(page.items.map((item) => item.type)).toEqual(['booking_reminder_student']);
  });
});

describe('the preferences of a new user', () => {
  const request = <Name extends string>(userId: string, step: Name) => ({
    owner: 'service',
    key: `user:${userId}/${step}` as const,
    fingerprint: step,
  });
  const remains = (userId: string) => database.sql`
    select user_id from notification_preferences where user_id = ${userId}
    union all select user_id from contacts where user_id = ${userId}`;

  test('are made once and undone, and a step that comes after its undo is refused', async () => {
    const userId = uuidv7();
    const make = () => createPreferences(database.db, request(userId, 'preferences'), userId, contactOf({ userId }));
    const undo = () => removePreferences(database.db, request(userId, 'preferences/undo'), userId);
    expect(await make()).toEqual(await make());
    await undo();
    await undo();
    expect(await remains(userId)).toEqual([]);

    const late = uuidv7();
    await removePreferences(database.db, request(late, 'preferences/undo'), late);
    const tooLate = createPreferences(database.db, request(late, 'preferences'), late, contactOf({ userId: late }));
    await expect(tooLate).rejects.toMatchObject({ code: 'undone' });
    expect(await remains(late)).toEqual([]);
  });

  test('and where they are reached come with one step, if its worker says so', async () => {
    const [userId, before] = [uuidv7(), uuidv7()];
    const contact = contactOf({ userId });
    await createPreferences(database.db, request(userId, 'preferences'), userId, contact);
    const { asOf: _, userId: __, ...recipient } = contact;
    expect(await readContact(database.db, userId)).toEqual(recipient);
    await createPreferences(database.db, request(before, 'preferences'), before, undefined);
    expect(await readContact(database.db, before)).toBeUndefined();
  });

  test('do not overwrite what the user chose meanwhile', async () => {
    const userId = uuidv7();
    const chosen = { reminders: { email: false, inApp: true }, reviewRequests: { email: true, inApp: true } };
    await writePreferences(database.db, userId, chosen);
    const reply = await createPreferences(database.db, request(userId, 'preferences'), userId, undefined);
    expect(reply).toEqual({ status: 201, body: chosen });
  });
});

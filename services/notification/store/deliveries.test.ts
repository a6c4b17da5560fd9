import { sql } from 'drizzle-orm';
import { notificationDeliveryLog, notifications } from '../../../db/schema/notification';
import { uuidv7 } from '../../../platform/ids';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/database';
import { announcement, rowOfBefore } from '../../../tests/support/notifications';
import { plansOf } from '../../../tests/support/plans';
import type { SendOutcome } from '../rules';
import { claimDue, countWaiting, recordOutcome, type Sending, settleOverdue } from './deliveries';
import { writePreferences } from './preferences';
import { type Announcement, recordNotification } from './saga-steps';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase('notification');
});
afterAll(() => database.drop());

const SENT: SendOutcome = { kind: 'sent', smtpCode: 250 };
const REFUSED: SendOutcome = { kind: 'refused', smtpCode: 550, errorCode: 'EENVELOPE' };
const UNAVAILABLE: SendOutcome = { kind: 'unavailable', smtpCode: null, errorCode: 'ESOCKET' };
const QUIET = { reminders: { email: false, inApp: true }, reviewRequests: { email: false, inApp: false } };

/** Mails of a test's own: those of others are sealed with other keys. */
function mails() {
  const keyId: string = uuidv7();
  const facts = { keyId, iv: 'iv', ciphertext: 'sealed', tag: 'tag' };
  const claim = (most = 100, except: string[] = []) => claimDue(database.db, { keyId, most, except });
  return {
    keyId,
    claim,
    record: (change: Partial<Announcement> = {}) =>
      recordNotification(database.db, announcement({ facts, ...change })).then(({ id }) => id),
    async claimed(id: string): Promise<Sending> {
      const found = (await claim()).find((sending) => sending.id === id);
      if (!found) throw new Error('it is not due');
      return found;
    },
    settle: () => settleOverdue(database.db, keyId),
  };
}

const endLease = (id: string) =>
  database.db.execute(sql`update notifications set leased_until = now() - interval '1 second' where id = ${id}`);
const makeDue = (id: string) => database.db.execute(sql`update notifications set due_at = now() where id = ${id}`);
const aDayPasses = (id: string) =>
  database.db.execute(sql`update notifications set created_at = created_at - interval '1 day' where id = ${id}`);
const eventsOf = (id: string) => database.sql`select type, data from events where stream_id = ${id} order by version`;
const logOf = (id: string) =>
  database.sql`select attempt, outcome, smtp_code, error_code, finished_at from notification_delivery_log where notification_id = ${id} order by attempt`;
const rowOf = async (id: string) => (await database.sql`select * from notifications where id = ${id}`)[0];

describe('a mail that is due', () => {
  test('is claimed once, by however many who ask at the same time, and each gets as many as wanted', async () => {
    const { record, claim } = mails();
    const ids = await Promise.all(Array.from({ length: 30 }, () => record()));
    const claims = await Promise.all(Array.from({ length: 20 }, () => claim(2)));
    expect(Math.max(...claims.map((claimed) => claimed.length))).toBe(2);
    const rest = await claim();
    const all = [...claims.flat(), ...rest].map(({ id }) => id);
    expect(all.toSorted()).toEqual(ids.toSorted());
  });

  test('comes with all that its attempt needs, and the attempt stands in the log before it begins', async () => {
    const { record, claim, keyId } = mails();
    const id = await record({ businessKey: `key:${keyId}` });
    expect(await claim()).toEqual([
      {
        ...{ id, attempt: 1, createdAt: expect.any(Date), businessKey: `key:${keyId}` },
        ...{ template: 'booking_confirmed_student', facts: expect.objectContaining({ keyId, ciphertext: 'sealed' }) },
      },
    ]);
    expect(await logOf(id)).toMatchObject([{ attempt: 1, outcome: 'unknown', finished_at: null }]);
    expect(await claim()).toEqual([]);
  });

  test('and whose sender died is claimed by one other, after the lease', async () => {
    const { record, claim, claimed } = mails();
    const id = await record();
    await claimed(id);
    await endLease(id);
    const claims = await Promise.all(Array.from({ length: 20 }, () => claim()));
    expect(claims.flat()).toMatchObject([{ id, attempt: 2 }]);
    expect(await logOf(id)).toMatchObject([
      { attempt: 1, outcome: 'unknown' },
      { attempt: 2, outcome: 'unknown' },
    ]);
  });

  test('is left alone by whose outcome of it is not recorded yet, and by who has another key', async () => {
    const { record, claim, claimed } = mails();
    const id = await record();
    await claimed(id);
    await endLease(id);
    expect(await claim(1, [id])).toEqual([]);
    expect(await mails().claim()).toEqual([]);
    expect(await claim(1, [uuidv7()])).toHaveLength(1);
  });

  test('is found by its index, however many notices there are', async () => {
    const { record, keyId } = mails();
    await record();
    await database.sql`
      insert into notifications (id, business_key, recipient_id, template, title, message, in_app, status, attempts)
      select gen_random_uuid(), 'old:' || n, gen_random_uuid(), 'payment_receipt', '', '', true, 'failed', 1
      from generate_series(1, 5000) n`;
    await database.sql`analyze notifications`;
    const plans = await plansOf(database, (db) => claimDue(db, { keyId, most: 5, except: [uuidv7()] }));
    expect(plans.join('\n')).toContain('notifications_due');
    expect(plans.join('\n')).not.toContain('Seq Scan on notifications');
  });
});

describe('an outcome', () => {
  test.each([
    [SENT, 'sent', 'NotificationSent'],
    [REFUSED, 'failed', 'NotificationFailed'],
  ])('that is final (%j) settles the notice for ever, with one event, and erases its facts', async (...given) => {
    const [outcome, status, type] = given;
    const { record, claim, claimed } = mails();
    const [recipientId, bookingId] = [uuidv7(), uuidv7()];
    const id = await record({ recipientId, bookingId });
    const sending = await claimed(id);
    expect(await recordOutcome(database.db, sending, outcome)).toBe(status);
    expect(await recordOutcome(database.db, sending, outcome)).toBe(status);
    expect(await rowOf(id)).toMatchObject({ status, facts: null, due_at: null, leased_until: null });
    expect(await claim()).toEqual([]);
    const about = {
      ...{ notificationId: id, recipientId, participantIds: [recipientId] },
      ...{ template: 'booking_confirmed_student', channel: 'email' },
    };
    expect(await eventsOf(id)).toEqual([{ type, data: { ...about, bookingId, paymentId: null } }]);
  });

  test('that may pass has the mail tried again, later each time', async () => {
    const { record, claim, claimed } = mails();
    const id = await record();
    const pauses: number[] = [];
    for (const attempt of [1, 2, 3]) {
      const sending = await claimed(id);
      expect(sending.attempt).toBe(attempt);
      expect(await recordOutcome(database.db, sending, UNAVAILABLE)).toBe('pending');
      expect(await claim()).toEqual([]);
      const [row] = await database.sql`
        select extract(epoch from due_at - finished_at)::float as pause
        from notifications join notification_delivery_log on notification_id = id where id = ${id} and attempt = ${attempt}`;
      pauses.push(row?.pause);
      await makeDue(id);
    }
    expect(pauses).toEqual([1, 2, 4]);
    await recordOutcome(database.db, await claimed(id), SENT);
    expect((await logOf(id)).map(({ outcome }) => outcome)).toEqual([
      ...['unavailable', 'unavailable', 'unavailable'],
      'sent',
    ]);
    expect(await eventsOf(id)).toHaveLength(1);
  });

  test('that may pass is the last one after a day', async () => {
    const { record, claimed } = mails();
    const id = await record();
    await aDayPasses(id);
    expect(await recordOutcome(database.db, await claimed(id), UNAVAILABLE)).toBe('failed');
    expect(await rowOf(id)).toMatchObject({ facts: null });
    expect(await eventsOf(id)).toMatchObject([{ type: 'NotificationFailed' }]);
  });

  test('of an earlier attempt that failed does not end the lease of the one that runs', async () => {
    const { record, claim, claimed } = mails();
    const id = await record();
    const first = await claimed(id);
    await endLease(id);
    await claimed(id);
    expect(await recordOutcome(database.db, first, UNAVAILABLE)).toBe('pending');
    await makeDue(id);
    expect(await claim()).toEqual([]);
  });

  test('of an earlier attempt that sent it settles the notice, and a later refusal does not unsettle it', async () => {
    const { record, claimed } = mails();
    const id = await record();
    const first = await claimed(id);
    await endLease(id);
    const second = await claimed(id);
    await recordOutcome(database.db, first, SENT);
    expect(await recordOutcome(database.db, second, REFUSED)).toBe('sent');
    expect(await eventsOf(id)).toMatchObject([{ type: 'NotificationSent' }]);
  });

  test('of a notice that is no more is nobody’s trouble', async () => {
    expect(await recordOutcome(database.db, { id: uuidv7(), attempt: 1 }, SENT)).toBeUndefined();
  });
});

describe('what is not to be sent any more is settled, and its facts erased:', () => {
  const reminder = { template: 'booking_reminder_student' } as const;

  test('what is past its use', async () => {
    const { record, claim, settle } = mails();
    const id = await record({ usefulUntil: new Date(Date.now() + 60_000) });
    await database.sql`update notifications set useful_until = now() where id = ${id}`;
    expect(await claim()).toEqual([]);
    await settle();
    expect(await rowOf(id)).toMatchObject({ status: 'expired', facts: null });
  });

  test('what its recipient switched off while it waited', async () => {
    const { record, claim, settle } = mails();
    const [recipientId, other] = [uuidv7(), uuidv7()];
    const unwanted = await record({ ...reminder, recipientId });
    const wanted = await record({ ...reminder, recipientId: other });
    const always = await record({ recipientId });
    await writePreferences(database.db, recipientId, QUIET);
    expect((await claim()).map(({ id }) => id).toSorted()).toEqual([wanted, always].toSorted());
    await settle();
    expect(await rowOf(unwanted)).toMatchObject({ status: 'suppressed', facts: null });
    expect(await rowOf(always)).toMatchObject({ status: 'pending' });
  });

  test('what nobody could open for a day, which is told as an event; before, it waits and is counted', async () => {
    const { record, settle, keyId } = mails();
    const id = await record();
    const before = await countWaiting(database.db, 'a new key');
    await settleOverdue(database.db, 'a new key');
    expect(await rowOf(id)).toMatchObject({ status: 'pending' });
    expect((await countWaiting(database.db, keyId)).own).toBe(1);
    expect(before.other).toBeGreaterThan(0);
    await aDayPasses(id);
    await settle();
    expect(await rowOf(id)).toMatchObject({ status: 'pending' });
    await settleOverdue(database.db, 'a new key');
    expect(await rowOf(id)).toMatchObject({ status: 'failed', facts: null });
    expect(await eventsOf(id)).toMatchObject([{ type: 'NotificationFailed' }]);
  });

  test('but nothing that is being sent, and nothing of the code of before', async () => {
    const { record, claimed, settle } = mails();
    const id = await record();
    await claimed(id);
    await database.sql`update notifications set useful_until = now() where id = ${id}`;
    const { id: old } = await rowOfBefore(database.sql);
    await aDayPasses(old);
    await settle();
    expect(await rowOf(id)).toMatchObject({ status: 'pending' });
    expect(await rowOf(old)).toMatchObject({ status: 'pending' });
  });
});

describe('the tables', () => {
  test('refuse states that cannot be', async () => {
    const { record, claimed } = mails();
    const id = await record();
    await claimed(id);
    for (const change of [
      sql`update notifications set status = 'sent' where id = ${id}`,
      sql`update notifications set status = 'lost' where id = ${id}`,
      sql`update notifications set status = 'failed' where id = ${id}`,
      sql`update notifications set status = 'replaced', leased_until = null where id = ${id}`,
      sql`update notifications set facts = null where id = ${id}`,
      sql`update notifications set due_at = null where id = ${id}`,
      sql`update notification_delivery_log set outcome = 'sent' where notification_id = ${id}`,
    ])
      await expect(database.db.execute(change)).rejects.toMatchObject({ cause: { code: '23514' } });
  });

  test('erase the facts of what the code of before settles', async () => {
    const id = await mails().record();
    await database.sql`update notifications set status = 'sent', sent_at = now() where id = ${id}`;
    expect(await rowOf(id)).toMatchObject({ status: 'sent', facts: null, due_at: null });
  });

  test('have no column for an address or a body', () => {
    const columns = [...Object.keys(notifications), ...Object.keys(notificationDeliveryLog)].join(' ');
    expect(columns).not.toMatch(/mail|address|html|body|text|data/i);
  });
});

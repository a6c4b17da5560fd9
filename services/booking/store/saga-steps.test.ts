import { drizzle } from 'drizzle-orm/postgres-js';
import { type ClientRequest, type KeyedRequest, releaseKey } from '../../../platform/idempotency';
import { uuidv7 } from '../../../platform/ids';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/database';
import type { Creation, ListQuery, NewBooking, PaymentProjection } from '../contract';
import { setMeetingUrl } from './meeting-link';
import { recordPayment, recordRefund } from './payment-copy';
import { listBookings, liveSessions, placeInList, readBooking, readProgress, readTimeline } from './reads';
import { claimBooking, claimCommand } from './requests';
import {
  awaitTutor,
  cancelConfirmed,
  cancelPending,
  completeConfirmed,
  confirmPending,
  createPending,
  moveConfirmed,
  refuseRequest,
} from './saga-steps';

let database: TestDatabase;
const db = () => database.db;

beforeAll(async () => {
  database = await createTestDatabase('booking');
});
afterAll(() => database.drop());

const QUARTER = 15 * 60_000;
const HOUR = 4 * QUARTER;
/** A quarter hour about `hours` from now. */
const inHours = (hours: number) => new Date(Math.ceil((Date.now() + hours * HOUR) / QUARTER) * QUARTER).toISOString();
const eur = (amount: number) => ({ amount, currency: 'EUR' });
const step = (id: string, name: string): KeyedRequest => ({
  owner: 'service',
  key: `booking:${id}/${name}`,
  fingerprint: name,
});
const person = (name: string) => ({ name, email: `${name}@example.org`, timeZone: 'Europe/Berlin', locale: 'de' });
const creation = (change: Partial<Creation> = {}): Creation => ({
  student: person('sam'),
  tutor: person('ada'),
  subject: 'Maths',
  price: eur(4500),
  instantBooking: true,
  ...change,
});
const payment = (change: Partial<PaymentProjection> = {}): PaymentProjection => ({
  id: uuidv7(),
  version: 1,
  status: 'captured',
  amount: eur(4500),
  captured: eur(4500),
  refunded: eur(0),
  clientSecret: null,
  ...change,
});

async function requested(
  change: { studentId?: string; tutorId?: string; scheduledAt?: string; durationMinutes?: number } = {},
) {
  const id = uuidv7();
  const { studentId = uuidv7(), tutorId = uuidv7(), scheduledAt = inHours(72), durationMinutes = 60 } = change;
  await database.sql`insert into booking_requests (id, student_id, tutor_id, subject, scheduled_at, duration_minutes)
    values (${id}, ${studentId}, ${tutorId}, 'Maths', ${scheduledAt}, ${durationMinutes})`;
  return { id, studentId, tutorId, scheduledAt };
}

async function created(change: Parameters<typeof requested>[0] & Partial<Creation> = {}) {
  const made = await requested(change);
  const { instantBooking = true } = change;
  await createPending(db(), step(made.id, 'create'), made.id, creation({ instantBooking }));
  return made;
}

async function confirmed(change: Parameters<typeof created>[0] = {}, paid: PaymentProjection = payment()) {
  const made = await created(change);
  await recordPayment(db(), step(made.id, 'payment'), made.id, paid, null);
  await confirmPending(db(), step(made.id, 'confirm'), made.id);
  return { ...made, paid };
}

const statusOf = async (id: string) => (await readBooking(db(), id)).status;
const refused = (code: string) => expect.objectContaining({ code });
const typesOf = async (id: string) => (await readTimeline(db(), id)).map(({ type }) => type);

describe('create', () => {
  test('makes a pending booking from the stored request, with the snapshot of people and price', async () => {
    const { id, studentId, tutorId, scheduledAt } = await requested();
    const endsAt = new Date(Date.parse(scheduledAt) + HOUR).toISOString();
    expect(await createPending(db(), step(id, 'create'), id, creation())).toEqual({
      bookingId: id,
      price: eur(4500),
      startsAt: scheduledAt,
      endsAt,
      instantBooking: true,
    });
    expect(await readBooking(db(), id)).toMatchObject({
      status: 'pending',
      statusReason: null,
      studentId,
      tutorId,
      studentName: 'sam',
      tutorEmail: 'ada@example.org',
      tutorLocale: 'de',
      scheduledAt,
      price: eur(4500),
      payment: null,
      workflowId: `booking:${id}`,
    });
    expect(await typesOf(id)).toEqual(['BookingRequested']);
  });

  test('happens once, under the same key or another, and keeps the first price', async () => {
    const { id } = await created();
    const again = await createPending(db(), step(id, 'create'), id, creation({ price: eur(9900) }));
    const other = await createPending(db(), step(id, 'create-2'), id, creation({ price: eur(9900) }));
    expect(again.price).toEqual(eur(4500));
    expect(other).toEqual(again);
    expect(await typesOf(id)).toEqual(['BookingRequested']);
  });

  test('is refused after its undo, after a refusal, without a request and below the least price', async () => {
    const undone = await requested();
    const cancel = { reason: 'slot_unavailable', noteId: null, cancelledBy: null } as const;
    await cancelPending(db(), step(undone.id, 'create/undo'), undone.id, cancel);
    await expect(createPending(db(), step(undone.id, 'create'), undone.id, creation())).rejects.toEqual(
      refused('undone'),
    );
    await expect(createPending(db(), step(undone.id, 'create-2'), undone.id, creation())).rejects.toEqual(
      refused('undone'),
    );

    const unknown = uuidv7();
    await expect(createPending(db(), step(unknown, 'create'), unknown, creation())).rejects.toEqual(
      refused('not_found'),
    );
    const cheap = await requested();
    await expect(createPending(db(), step(cheap.id, 'create'), cheap.id, creation({ price: eur(99) }))).rejects.toEqual(
      refused('validation_failed'),
    );
  });

  test('of 50 overlapping bookings of one student exactly one is made', async () => {
    const studentId = uuidv7();
    const requests = await Promise.all(Array.from({ length: 50 }, () => requested({ studentId })));
    const results = await Promise.allSettled(
      requests.map(({ id }) => createPending(db(), step(id, 'create'), id, creation())),
    );
    const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason.code] : []));
    expect(failures).toEqual(Array.from({ length: 49 }, () => 'conflict'));
  });

  test('back to back is no overlap, and a cancelled booking frees its time', async () => {
    const studentId = uuidv7();
    const first = await created({ studentId, scheduledAt: inHours(72) });
    await created({ studentId, scheduledAt: inHours(73) });
    const cancel = { reason: 'declined', noteId: null, cancelledBy: 'tutor' } as const;
    await cancelPending(db(), step(first.id, 'create/undo'), first.id, cancel);
    const again = await created({ studentId, scheduledAt: first.scheduledAt });
    expect(await statusOf(again.id)).toBe('pending');
  });

  test('the database itself refuses an overlap that got past every check', async () => {
    const { id, studentId, scheduledAt } = await created();
    const other = await requested({ studentId });
    await expect(
      database.sql`insert into bookings (id, student_id, tutor_id, status, subject, starts_at, ends_at, duration_minutes, instant_booking)
        select ${other.id}, student_id, tutor_id, 'confirmed', subject, ${scheduledAt}, ends_at, duration_minutes, true
        from bookings where id = ${id}`,
    ).rejects.toMatchObject({ constraint_name: 'bookings_one_at_a_time' });
  });

  test('its undo that comes at the same time leaves no live booking', async () => {
    const cancel = { reason: 'slot_unavailable', noteId: null, cancelledBy: null } as const;
    for (let round = 0; round < 10; round++) {
      const { id } = await requested();
      await Promise.allSettled([
        createPending(db(), step(id, 'create'), id, creation()),
        cancelPending(db(), step(id, 'create/undo'), id, cancel),
      ]);
      const { booking, refusal } = await readProgress(db(), id);
      expect(booking ? booking.status : refusal?.code).toBe(booking ? 'cancelled' : 'slot_unavailable');
    }
  });
});

describe('refuse', () => {
  const refusal = {
    code: 'validation_failed',
    detail: 'Not taught',
    errors: [{ path: 'subject', message: 'no' }],
  } as const;

  test('the first refusal stays', async () => {
    const { id } = await requested();
    await refuseRequest(db(), step(id, 'refuse'), id, { ...refusal, errors: [...refusal.errors] });
    await refuseRequest(db(), step(id, 'refuse-2'), id, { code: 'not_found', detail: 'Other' });
    await cancelPending(db(), step(id, 'create/undo'), id, { reason: 'declined', noteId: null, cancelledBy: null });
    expect((await readProgress(db(), id)).refusal).toEqual(refusal);
  });

  test('needs a request', async () => {
    const id = uuidv7();
    await expect(refuseRequest(db(), step(id, 'refuse'), id, { code: 'not_found', detail: 'x' })).rejects.toEqual(
      refused('not_found'),
    );
    await expect(readProgress(db(), id)).rejects.toEqual(refused('not_found'));
  });
});

describe('payment', () => {
  test('while the bank is asked the booking waits for the payment, and no longer once it answered', async () => {
    const { id } = await created();
    const until = inHours(1);
    const asked = payment({ status: 'requires_action', captured: eur(0), clientSecret: 'pi_secret' });
    await recordPayment(db(), step(id, 'pay-1'), id, asked, until);
    expect(await readBooking(db(), id)).toMatchObject({
      statusReason: 'awaiting_payment',
      waitingUntil: until,
      payment: { clientSecret: 'pi_secret', captured: eur(0) },
    });
    await recordPayment(db(), step(id, 'pay-2'), id, { ...asked, version: 2, status: 'authorized' }, null);
    const after = await readBooking(db(), id);
    expect(after).toMatchObject({ statusReason: null, waitingUntil: null, payment: { status: 'authorized' } });
    expect(after.payment).not.toHaveProperty('clientSecret');
    expect(await typesOf(id)).toEqual(['BookingRequested', 'PaymentProcessed', 'PaymentProcessed']);
  });

  test('an older or equal version changes nothing', async () => {
    const { id, paid } = await confirmed({}, payment({ version: 5 }));
    for (const version of [4, 5]) {
      await recordPayment(
        db(),
        step(id, `old-${version}`),
        id,
        { ...paid, version, status: 'pending', captured: eur(0) },
        null,
      );
    }
    expect((await readBooking(db(), id)).payment).toMatchObject({ status: 'captured', captured: eur(4500) });
  });

  test('the same status again, in a newer version, is no news', async () => {
    const { id, paid } = await confirmed();
    await recordPayment(db(), step(id, 'again'), id, { ...paid, version: 2 }, null);
    expect((await typesOf(id)).filter((type) => type === 'PaymentProcessed')).toHaveLength(1);
  });

  test('a decline is kept with its code, and a booking that is over takes payment news without changing', async () => {
    const { id } = await created();
    const failed = payment({ status: 'failed', captured: eur(0), declineCode: 'insufficient_funds' });
    await recordPayment(db(), step(id, 'pay'), id, failed, null);
    const cancel = { reason: 'payment_declined', noteId: null, cancelledBy: null } as const;
    await cancelPending(db(), step(id, 'create/undo'), id, cancel);
    await recordPayment(db(), step(id, 'late'), id, { ...failed, version: 2, status: 'requires_action' }, inHours(1));
    expect(await readBooking(db(), id)).toMatchObject({ status: 'cancelled', statusReason: 'payment_declined' });
    expect((await readProgress(db(), id)).booking).toEqual({
      status: 'cancelled',
      statusReason: 'payment_declined',
      declineCode: 'insufficient_funds',
    });
  });

  test('another payment is not taken for the booking’s own, and without a booking there is none', async () => {
    const { id } = await confirmed();
    await expect(recordPayment(db(), step(id, 'other'), id, payment({ version: 9 }), null)).rejects.toEqual(
      refused('conflict'),
    );
    const unknown = uuidv7();
    await expect(recordPayment(db(), step(unknown, 'pay'), unknown, payment(), null)).rejects.toEqual(
      refused('not_found'),
    );
  });

  test('of versions that arrive all at once the newest stays', async () => {
    const { id } = await created();
    const paid = payment({ status: 'authorized', captured: eur(0) });
    const versions = Array.from({ length: 20 }, (_, index) => index + 1).sort(() => Math.random() - 0.5);
    await Promise.all(
      versions.map((version) =>
        recordPayment(db(), step(id, `v${version}`), id, { ...paid, version, captured: eur(version) }, null),
      ),
    );
    expect((await readBooking(db(), id)).payment?.captured).toEqual(eur(20));
  });
});

describe('the way to confirmed', () => {
  test('the tutor is asked, and again under another key, until the booking is confirmed', async () => {
    const { id } = await created({ instantBooking: false });
    const respondBy = inHours(24);
    await awaitTutor(db(), step(id, 'await-1'), id, respondBy);
    await awaitTutor(db(), step(id, 'await-2'), id, respondBy);
    expect(await readBooking(db(), id)).toMatchObject({ statusReason: 'awaiting_tutor', waitingUntil: respondBy });
    await confirmPending(db(), step(id, 'confirm'), id);
    expect(await readBooking(db(), id)).toMatchObject({ status: 'confirmed', statusReason: null, waitingUntil: null });
    await expect(awaitTutor(db(), step(id, 'await-3'), id, respondBy)).rejects.toEqual(refused('invalid_state'));
    const timeline = await readTimeline(db(), id);
    expect(timeline.at(-1)).toMatchObject({ type: 'BookingConfirmed', actor: 'tutor' });
  });

  test('an instant booking is confirmed by nobody in particular; twice is once', async () => {
    const { id } = await confirmed();
    await confirmPending(db(), step(id, 'confirm-2'), id);
    const confirmations = (await readTimeline(db(), id)).filter(({ type }) => type === 'BookingConfirmed');
    expect(confirmations).toMatchObject([{ actor: 'system' }]);
  });

  test('what was cancelled or completed is not confirmed any more', async () => {
    const { id } = await created();
    await cancelPending(db(), step(id, 'create/undo'), id, { reason: 'declined', noteId: null, cancelledBy: 'tutor' });
    await expect(confirmPending(db(), step(id, 'confirm'), id)).rejects.toEqual(refused('invalid_state'));
    const done = await confirmed();
    await completeConfirmed(db(), step(done.id, 'complete'), done.id, 'tutor');
    await expect(confirmPending(db(), step(done.id, 'confirm-2'), done.id)).rejects.toEqual(refused('invalid_state'));
  });

  test('confirm and the undo of create never both win', async () => {
    for (let round = 0; round < 10; round++) {
      const { id } = await created();
      const results = await Promise.allSettled([
        confirmPending(db(), step(id, 'confirm'), id),
        cancelPending(db(), step(id, 'create/undo'), id, { reason: 'declined', noteId: null, cancelledBy: null }),
      ]);
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      expect(await statusOf(id)).toBe(results[0]?.status === 'fulfilled' ? 'confirmed' : 'cancelled');
    }
  });
});

describe('undo of create', () => {
  test('cancels with reason, person and note, once', async () => {
    const { id } = await created();
    const noteId = uuidv7();
    await database.sql`insert into booking_notes (id, booking_id, kind, author_id, text) values (${noteId}, ${id}, 'decline', ${uuidv7()}, 'No time')`;
    await cancelPending(db(), step(id, 'create/undo'), id, { reason: 'declined', noteId, cancelledBy: 'tutor' });
    await cancelPending(db(), step(id, 'again/undo'), id, { reason: 'tutor_expired', noteId: null, cancelledBy: null });
    expect(await readBooking(db(), id)).toMatchObject({
      status: 'cancelled',
      statusReason: 'declined',
      cancelledBy: 'tutor',
      cancelReason: 'No time',
    });
    const timeline = await readTimeline(db(), id);
    expect(timeline.at(-1)).toMatchObject({ type: 'BookingCancelled', actor: 'tutor', data: { reason: 'declined' } });
    expect(JSON.stringify(timeline)).not.toContain('No time');
  });

  test('is harmless when there is neither booking nor request', async () => {
    const id = uuidv7();
    await cancelPending(db(), step(id, 'create/undo'), id, {
      reason: 'slot_unavailable',
      noteId: null,
      cancelledBy: null,
    });
    await expect(createPending(db(), step(id, 'create'), id, creation())).rejects.toEqual(refused('undone'));
  });

  test('a confirmed booking is not undone', async () => {
    const { id } = await confirmed();
    const cancel = { reason: 'declined', noteId: null, cancelledBy: null } as const;
    await expect(cancelPending(db(), step(id, 'create/undo'), id, cancel)).rejects.toEqual(refused('invalid_state'));
    expect(await statusOf(id)).toBe('confirmed');
  });
});

describe('cancel of a confirmed booking', () => {
  const cancel = (change: object = {}) => ({
    by: 'student' as const,
    noteId: null,
    requestedAt: new Date().toISOString(),
    ...change,
  });

  test('refunds by the time the request arrived, and repeats its decision', async () => {
    const { id } = await confirmed({ scheduledAt: inHours(12) });
    const half = { refund: eur(2250), retained: eur(2250) };
    expect(await cancelConfirmed(db(), step(id, 'cancel'), id, cancel())).toEqual(half);
    expect(await cancelConfirmed(db(), step(id, 'cancel-2'), id, cancel({ by: 'tutor' }))).toEqual(half);
    expect(await readBooking(db(), id)).toMatchObject({
      status: 'cancelled',
      statusReason: 'cancelled_by_student',
      cancelledBy: 'student',
    });
    expect((await readTimeline(db(), id)).at(-1)).toMatchObject({ actor: 'student', data: half });
  });

  test('gives all back when the tutor cancels, and nothing where nothing was paid', async () => {
    const paid = await confirmed({ scheduledAt: inHours(1) });
    expect((await cancelConfirmed(db(), step(paid.id, 'c'), paid.id, cancel({ by: 'tutor' }))).refund).toEqual(
      eur(4500),
    );
    const unpaid = await created();
    await confirmPending(db(), step(unpaid.id, 'confirm'), unpaid.id);
    expect(await cancelConfirmed(db(), step(unpaid.id, 'c'), unpaid.id, cancel())).toEqual({
      refund: eur(0),
      retained: eur(0),
    });
  });

  test.each(['pending', 'completed', 'undone'] as const)('is refused for a booking that is %s', async (state) => {
    const { id } = state === 'completed' ? await confirmed() : await created();
    if (state === 'completed') await completeConfirmed(db(), step(id, 'complete'), id, 'time');
    if (state === 'undone') {
      await cancelPending(db(), step(id, 'create/undo'), id, { reason: 'declined', noteId: null, cancelledBy: null });
    }
    await expect(cancelConfirmed(db(), step(id, 'c'), id, cancel())).rejects.toEqual(refused('invalid_state'));
  });

  test('two at once decide one refund', async () => {
    const { id } = await confirmed({ scheduledAt: inHours(12) });
    const [a, b] = await Promise.all([
      cancelConfirmed(db(), step(id, 'a'), id, cancel()),
      cancelConfirmed(db(), step(id, 'b'), id, cancel({ by: 'tutor' })),
    ]);
    expect(a).toEqual(b);
    expect((await typesOf(id)).filter((type) => type === 'BookingCancelled')).toHaveLength(1);
  });
});

describe('refunds', () => {
  async function cancelled(by: 'student' | 'tutor', hours: number) {
    const made = await confirmed({ scheduledAt: inHours(hours) });
    const requestedAt = new Date().toISOString();
    await cancelConfirmed(db(), step(made.id, 'cancel'), made.id, { by, noteId: null, requestedAt });
    return made;
  }

  test('a cancelled booking is refunded when all was given back, and only then', async () => {
    const { id, paid } = await cancelled('tutor', 72);
    const part = { ...paid, version: 2, status: 'partially_refunded', refunded: eur(2000) } as const;
    await recordRefund(db(), step(id, 'r1'), id, part);
    expect(await statusOf(id)).toBe('cancelled');
    const all = { ...paid, version: 3, status: 'refunded', refunded: eur(4500) } as const;
    await recordRefund(db(), step(id, 'r2'), id, all);
    await recordRefund(db(), step(id, 'r3'), id, all);
    expect(await readBooking(db(), id)).toMatchObject({ status: 'refunded', payment: { refunded: eur(4500) } });
    const rows = await database.sql`select amount::int from refunds where booking_id = ${id} order by version`;
    expect(rows.map(({ amount }) => amount)).toEqual([2000, 2500]);
    expect((await typesOf(id)).filter((type) => type === 'RefundIssued')).toHaveLength(2);
  });

  test('a refund whose news payment sent before is still seen', async () => {
    const { id, paid } = await cancelled('tutor', 72);
    const all = { ...paid, version: 2, status: 'refunded', refunded: eur(4500) } as const;
    await recordPayment(db(), step(id, 'news'), id, all, null);
    expect(await statusOf(id)).toBe('cancelled');
    await recordRefund(db(), step(id, 'refund'), id, all);
    expect(await statusOf(id)).toBe('refunded');
  });

  test('nothing captured is nothing refunded', async () => {
    const { id } = await created();
    const voided = payment({ status: 'voided', captured: eur(0) });
    await recordPayment(db(), step(id, 'void'), id, voided, null);
    await cancelPending(db(), step(id, 'create/undo'), id, { reason: 'declined', noteId: null, cancelledBy: null });
    await recordRefund(db(), step(id, 'refund'), id, { ...voided, version: 2 });
    expect(await statusOf(id)).toBe('cancelled');
  });

  test('a refund that failed after all takes the booking back to cancelled', async () => {
    const { id, paid } = await cancelled('tutor', 72);
    await recordRefund(db(), step(id, 'r'), id, { ...paid, version: 2, status: 'refunded', refunded: eur(4500) });
    await recordRefund(db(), step(id, 'failed'), id, { ...paid, version: 3, status: 'captured', refunded: eur(0) });
    expect(await readBooking(db(), id)).toMatchObject({ status: 'cancelled', payment: { refunded: eur(0) } });
    expect((await typesOf(id)).at(-1)).toBe('RefundReversed');
    const [row] = await database.sql`select sum(amount)::int as total from refunds where booking_id = ${id}`;
    expect(row?.total).toBe(0);
  });

  test('a goodwill refund leaves a completed booking completed', async () => {
    const { id, paid } = await confirmed();
    await completeConfirmed(db(), step(id, 'complete'), id, 'tutor');
    await recordRefund(db(), step(id, 'r'), id, { ...paid, version: 2, status: 'refunded', refunded: eur(4500) });
    expect(await readBooking(db(), id)).toMatchObject({ status: 'completed', payment: { status: 'refunded' } });
  });
});

describe('reschedule and complete', () => {
  test('moves the session with its length, once', async () => {
    const { id, scheduledAt } = await confirmed({ durationMinutes: 90 });
    const to = inHours(100);
    const endsAt = new Date(Date.parse(to) + 1.5 * HOUR).toISOString();
    const moved = { previousStart: scheduledAt, startsAt: to, endsAt };
    expect(await moveConfirmed(db(), step(id, 'r1'), id, { scheduledAt: to, by: 'tutor' })).toEqual(moved);
    expect(await moveConfirmed(db(), step(id, 'r1'), id, { scheduledAt: to, by: 'tutor' })).toEqual(moved);
    expect(await moveConfirmed(db(), step(id, 'r2'), id, { scheduledAt: to })).toEqual({
      ...moved,
      previousStart: to,
    });
    expect((await readBooking(db(), id)).scheduledAt).toBe(to);
    expect((await readTimeline(db(), id)).at(-1)).toMatchObject({
      type: 'BookingRescheduled',
      actor: 'tutor',
      data: moved,
    });
    expect((await typesOf(id)).filter((type) => type === 'BookingRescheduled')).toHaveLength(1);
  });

  test('not onto another live booking of the student, and the try leaves nothing behind', async () => {
    const { id, studentId, scheduledAt } = await confirmed();
    const other = await confirmed({ studentId, scheduledAt: inHours(80) });
    await expect(moveConfirmed(db(), step(id, 'r'), id, { scheduledAt: other.scheduledAt })).rejects.toEqual(
      refused('conflict'),
    );
    expect((await readBooking(db(), id)).scheduledAt).toBe(scheduledAt);
  });

  test('only while confirmed', async () => {
    const { id } = await created();
    await expect(moveConfirmed(db(), step(id, 'r'), id, { scheduledAt: inHours(99) })).rejects.toEqual(
      refused('invalid_state'),
    );
  });

  test('its undo moves back; a move that arrives after its undo is refused', async () => {
    const { id, scheduledAt } = await confirmed();
    await moveConfirmed(db(), step(id, 'r1'), id, { scheduledAt: inHours(99) });
    await moveConfirmed(db(), step(id, 'r1/undo'), id, { scheduledAt });
    expect((await readBooking(db(), id)).scheduledAt).toBe(scheduledAt);

    await moveConfirmed(db(), step(id, 'r2/undo'), id, { scheduledAt });
    await expect(moveConfirmed(db(), step(id, 'r2'), id, { scheduledAt: inHours(99) })).rejects.toEqual(
      refused('undone'),
    );

    await completeConfirmed(db(), step(id, 'complete'), id, 'tutor');
    const after = await moveConfirmed(db(), step(id, 'r3/undo'), id, { scheduledAt: inHours(99) });
    expect(after.startsAt).toBe(scheduledAt);
  });

  test('completes by whoever says so first, and only what was confirmed', async () => {
    const { id } = await confirmed();
    await completeConfirmed(db(), step(id, 'complete'), id, 'time');
    await completeConfirmed(db(), step(id, 'complete-2'), id, 'tutor');
    expect(await readBooking(db(), id)).toMatchObject({ status: 'completed', statusReason: 'completed_by_time' });
    const pending = await created();
    await expect(completeConfirmed(db(), step(pending.id, 'c'), pending.id, 'tutor')).rejects.toEqual(
      refused('invalid_state'),
    );
  });

  test('cancel and complete at once: one wins', async () => {
    for (let round = 0; round < 10; round++) {
      const { id } = await confirmed();
      const results = await Promise.allSettled([
        completeConfirmed(db(), step(id, 'complete'), id, 'tutor'),
        cancelConfirmed(db(), step(id, 'c'), id, { by: 'tutor', noteId: null, requestedAt: new Date().toISOString() }),
      ]);
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      expect(await statusOf(id)).toBe(results[0]?.status === 'fulfilled' ? 'completed' : 'cancelled');
    }
  });
});

describe('the meeting link', () => {
  test('is set, replaced and cleared without telling it to the log', async () => {
    const { id } = await confirmed();
    await setMeetingUrl(db(), id, 'https://meet.example/secret-room');
    await setMeetingUrl(db(), id, 'https://meet.example/secret-room');
    expect((await readBooking(db(), id)).meetingUrl).toBe('https://meet.example/secret-room');
    await setMeetingUrl(db(), id, null);
    expect((await readBooking(db(), id)).meetingUrl).toBeNull();
    const timeline = await readTimeline(db(), id);
    expect(timeline.filter(({ type }) => type === 'BookingMeetingUrlChanged')).toHaveLength(2);
    expect(JSON.stringify(timeline)).not.toContain('secret-room');
  });

  test('not of a booking that is over or unknown', async () => {
    const { id } = await confirmed();
    await completeConfirmed(db(), step(id, 'complete'), id, 'tutor');
    await expect(setMeetingUrl(db(), id, null)).rejects.toEqual(refused('invalid_state'));
    await expect(setMeetingUrl(db(), uuidv7(), null)).rejects.toEqual(refused('not_found'));
  });
});

describe('lists', () => {
  const query = (change: Partial<ListQuery> = {}): ListQuery => ({ limit: 20, sort: '-scheduledAt', ...change });

  async function fiveOf(tutorId: string) {
    const made = [];
    // Two of them start at the same moment, so that pages must also order by id.
    for (const hours of [30, 40, 40, 50, 60]) made.push(await created({ tutorId, scheduledAt: inHours(hours) }));
    return made;
  }

  test.each(['-scheduledAt', 'scheduledAt'] as const)('every booking once, page by page, by %s', async (sort) => {
    const tutorId = uuidv7();
    const made = await fiveOf(tutorId);
    const seen: { id: string; at: string }[] = [];
    let cursor: string | null = null;
    do {
      const page = await listBookings(db(), { tutorId }, query({ sort, limit: 2, ...(cursor && { cursor }) }));
      expect(page.items.length).toBeLessThanOrEqual(2);
      seen.push(...page.items.map(({ id, scheduledAt }) => ({ id, at: scheduledAt })));
      cursor = page.nextCursor;
    } while (cursor);
    expect(seen.map(({ id }) => id).sort()).toEqual(made.map(({ id }) => id).sort());
    const times = seen.map(({ at }) => at);
    expect(times).toEqual(sort === 'scheduledAt' ? times.toSorted() : times.toSorted().reverse());
  });

  test('by owner, status and time; a full last page has no next', async () => {
    const tutorId = uuidv7();
    const made = await fiveOf(tutorId);
    const [first, second] = made;
    if (!first || !second) throw new Error('five were made');
    await confirmPending(db(), step(first.id, 'confirm'), first.id);
    const ids = async (owner: Parameters<typeof listBookings>[1], change: Partial<ListQuery>) =>
      (await listBookings(db(), owner, query(change))).items.map(({ id }) => id);
    expect(await ids({ tutorId }, { status: 'confirmed' })).toEqual([first.id]);
    expect(await ids({ studentId: second.studentId }, {})).toEqual([second.id]);
    expect(await ids({ tutorId: second.studentId }, {})).toEqual([]);
    expect(await ids({ tutorId }, { from: second.scheduledAt, to: inHours(50) })).toHaveLength(2);
    expect(await ids('all', { limit: 100 })).toEqual(expect.arrayContaining(made.map(({ id }) => id)));
    expect((await listBookings(db(), { tutorId }, query({ limit: 5 }))).nextCursor).toBeNull();
  });

  test('a cursor that is none of ours is refused', async () => {
    for (const text of ['nonsense', '1 2', `${'9'.repeat(15)} ${uuidv7()}`, '']) {
      const cursor = Buffer.from(text).toString('base64url');
      await expect(listBookings(db(), 'all', query({ cursor }))).rejects.toEqual(refused('validation_failed'));
    }
  });

  test.each<[string, Parameters<typeof listBookings>[1], Partial<ListQuery>]>([
    ['a student’s', { studentId: uuidv7() }, {}],
    ['a tutor’s of one status', { tutorId: uuidv7() }, { status: 'pending', sort: 'scheduledAt' }],
    ['a tutor’s from a time on', { tutorId: uuidv7() }, { from: inHours(1), sort: 'scheduledAt' }],
    ['everybody’s', 'all', {}],
  ])('%s list, first page or later, is a range of an index and sorts nothing', async (_, owner, change) => {
    const asked: { text: string; parameters: unknown[] }[] = [];
    const logger = { logQuery: (text: string, parameters: unknown[]) => void asked.push({ text, parameters }) };
    const listening = drizzle(database.sql, { logger });
    const cursor = placeInList.write([Date.parse(inHours(50)), uuidv7()]);
    for (const more of [{}, { cursor }]) await listBookings(listening, owner, query({ ...change, ...more }));
    expect(asked).toHaveLength(2);
    await database.sql.begin(async (tx) => {
      await tx`set local enable_seqscan = off`;
      await tx`set local enable_bitmapscan = off`;
      for (const { text, parameters } of asked) {
        const plan = await tx.unsafe(`explain ${text}`, parameters.map(String));
        const lines = plan.map((row) => row['QUERY PLAN']).join('\n');
        expect(lines).toMatch(/Index (Only )?Scan.* on bookings/);
        expect(lines).not.toContain('Sort');
      }
    });
  });

  test('the live sessions of a student at a time', async () => {
    const { studentId, scheduledAt } = await created();
    const around = { startsAt: inHours(71), endsAt: inHours(74) };
    expect(await liveSessions(db(), studentId, around)).toMatchObject([{ startsAt: scheduledAt }]);
    expect(await liveSessions(db(), studentId, { startsAt: inHours(73), endsAt: inHours(74) })).toEqual([]);
  });
});

describe('claims', () => {
  const wanted = (change: Partial<NewBooking> = {}): NewBooking => ({
    tutorId: uuidv7(),
    subject: 'Maths',
    scheduledAt: inHours(72),
    durationMinutes: 60,
    paymentMethodId: 'pm_card_visa',
    ...change,
  });
  const client = (): ClientRequest => ({
    owner: uuidv7(),
    key: uuidv7(),
    fingerprint: 'f',
    instance: '/api/bookings',
  });
  const run = async (request: ClientRequest, body = wanted()) => {
    const claim = await claimBooking(db(), request, request.owner, body, () => undefined);
    if (claim.kind !== 'run') throw new Error(`claimed ${claim.kind}`);
    return claim;
  };

  test('of many claims of one key one runs and the others are told to wait', async () => {
    const request = client();
    const results = await Promise.allSettled(Array.from({ length: 10 }, () => run(request)));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const result of results)
      if (result.status === 'rejected') expect(result.reason).toEqual(refused('idempotency_in_progress'));
    expect(await database.sql`select id from booking_requests where student_id = ${request.owner}`).toHaveLength(1);
  });

  test('a freed key goes on with the same booking', async () => {
    const request = client();
    const first = await run(request);
    await releaseKey(db(), request);
    expect(await run(request)).toEqual({ kind: 'run', bookingId: first.bookingId, started: false });
    await createPending(db(), step(first.bookingId, 'create'), first.bookingId, creation());
    await releaseKey(db(), request);
    expect(await run(request)).toEqual({ kind: 'run', bookingId: first.bookingId, started: true });
  });

  test('a request that failed for the platform’s reasons gets a new booking, one that was refused does not', async () => {
    const request = client();
    const body = wanted({ pricingOptionId: uuidv7() });
    const first = await run(request, body);
    await refuseRequest(db(), step(first.bookingId, 'x'), first.bookingId, {
      code: 'upstream_unavailable',
      detail: 'Down',
    });
    await releaseKey(db(), request);
    const second = await run(request, body);
    expect(second).toMatchObject({ kind: 'run', started: false });
    expect(second.bookingId).not.toBe(first.bookingId);
    const [row] = await database.sql`select pricing_option_id from booking_requests where id = ${second.bookingId}`;
    expect(row?.pricing_option_id).toBe(body.pricingOptionId);

    await refuseRequest(db(), step(second.bookingId, 'x'), second.bookingId, { code: 'not_found', detail: 'No' });
    await releaseKey(db(), request);
    expect(await run(request, body)).toEqual({ kind: 'run', bookingId: second.bookingId, started: true });
  });

  test('a command’s note is stored once, and a retry carries it and the first arrival', async () => {
    const { id } = await confirmed();
    const request = client();
    const command = {
      bookingId: id,
      authorId: request.owner,
      note: { kind: 'cancel', text: 'Ill' } as const,
      receivedAt: new Date(),
      refusal: undefined,
    };
    const first = await claimCommand(db(), request, command);
    await releaseKey(db(), request);
    const later = new Date(Date.now() + 3_600_000);
    const again = await claimCommand(db(), request, { ...command, receivedAt: later });
    if (first.kind !== 'run' || again.kind !== 'run') throw new Error('both run');
    expect(again.noteId).toBe(first.noteId);
    expect(again.requestedAt.getTime()).toBeLessThan(later.getTime() - 3_500_000);
    expect(await database.sql`select text from booking_notes where booking_id = ${id}`).toEqual([{ text: 'Ill' }]);
  });

  test('without a key nothing but the note is stored', async () => {
    const { id } = await confirmed();
    const command = { bookingId: id, authorId: uuidv7(), note: undefined, receivedAt: new Date(), refusal: undefined };
    expect(await claimCommand(db(), undefined, command)).toEqual({
      kind: 'run',
      noteId: null,
      requestedAt: command.receivedAt,
    });
  });
});

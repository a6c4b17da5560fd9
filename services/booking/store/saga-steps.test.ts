import { HOUR } from '../../../kernel/time';
import { uuidv7 } from '../../../platform/ids';
import { bookingRows, creation, refused, step } from '../../../tests/support/booking-rows';
import { eur, inHours, payment } from '../../../tests/support/bookings';
import { recordPayment } from './payment-copy';
import { readBooking, readProgress, readTimeline } from './reads';
import {
  awaitTutor,
  cancelPending,
  completeConfirmed,
  confirmPending,
  createPending,
  refuseRequest,
} from './saga-steps';

const { db, database, requested, created, confirmed, statusOf, typesOf } = bookingRows();

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
      tutorLocale: 'de',
      scheduledAt,
      price: eur(4500),
      payment: null,
      workflowId: `booking:${id}`,
    });
    expect(await typesOf(id)).toEqual(['BookingRequested']);
  });

  test('keeps no address, also when a worker of before says them', async () => {
    const { id } = await requested();
    const { student, tutor, ...rest } = creation();
    const said = { student: { ...student, email: 'sam@example.org' }, tutor: { ...tutor, email: 'ada@example.org' } };
    await createPending(db(), step(id, 'create'), id, { ...rest, ...said });
    const [row] = await database.sql`select student_email, tutor_email from booking_snapshots where booking_id = ${id}`;
    expect(row).toEqual({ student_email: '', tutor_email: '' });
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
    await expect(createPending(db(), step(cheap.id, 'create'), cheap.id, creation({ price: eur(49) }))).rejects.toEqual(
      refused('validation_failed'),
    );
  });

  /** Makes all of them at once. @returns the codes of those that were refused */
  const refusalsOf = async (requests: { id: string }[]) => {
    const results = await Promise.allSettled(
      requests.map(({ id }) => createPending(db(), step(id, 'create'), id, creation())),
    );
    return results.flatMap((result) => (result.status === 'rejected' ? [result.reason.code] : []));
  };

  test('of 50 overlapping bookings of one student exactly one is made', async () => {
    const studentId = uuidv7();
    const requests = await Promise.all(Array.from({ length: 50 }, () => requested({ studentId })));
    expect(await refusalsOf(requests)).toEqual(Array.from({ length: 49 }, () => 'conflict'));
  });

  test('of 40 bookings of one student at once whose payment is not authorised three are made', async () => {
    const studentId = uuidv7();
    const requests = await Promise.all(
      Array.from({ length: 40 }, (_, n) => requested({ studentId, scheduledAt: inHours(72 + n) })),
    );
    expect(await refusalsOf(requests)).toEqual(Array.from({ length: 37 }, () => 'too_many_pending'));
    const left = await database.sql`select from bookings where student_id = ${studentId} and status = 'pending'`;
    expect(left).toHaveLength(3);
    await created({ scheduledAt: inHours(72) }); // somebody else's are their own
  });

  test('a booking counts until its payment is authorised or it is cancelled, and the step repeated is not counted twice', async () => {
    const studentId = uuidv7();
    const make = (n: number) => created({ studentId, scheduledAt: inHours(72 + n) });
    const [first, second, third] = [await make(0), await make(1), await make(2)];
    await createPending(db(), step(third.id, 'create-2'), third.id, creation());
    await recordPayment(
      db(),
      step(first.id, 'payment'),
      first.id,
      payment({ status: 'requires_action', captured: eur(0) }),
      null,
    );
    await expect(make(3)).rejects.toEqual(refused('too_many_pending'));
    await recordPayment(
      db(),
      step(second.id, 'payment'),
      second.id,
      payment({ status: 'authorized', captured: eur(0) }),
      null,
    );
    await make(4);
    await expect(make(5)).rejects.toEqual(refused('too_many_pending'));
    const cancel = { reason: 'payment_expired', noteId: null, cancelledBy: null } as const;
    await cancelPending(db(), step(first.id, 'create/undo'), first.id, cancel);
    await make(6);
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

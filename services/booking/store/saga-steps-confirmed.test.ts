import { HOUR } from '../../../kernel/time';
import { uuidv7 } from '../../../platform/ids';
import { bookingRows, refused, step } from '../../../tests/support/booking-rows';
import { eur, inHours } from '../../../tests/support/bookings';
import { readBooking, readTimeline } from './reads';
import {
  admitMove,
  cancelConfirmed,
  cancelPending,
  completeConfirmed,
  confirmPending,
  moveConfirmed,
} from './saga-steps';

const { db, created, confirmed, statusOf, typesOf } = bookingRows();

describe('cancel of a confirmed booking', () => {
  const cancel = (change: object = {}) => ({
    by: 'student' as const,
    noteId: null,
    requestedAt: new Date().toISOString(),
    ...change,
  });

  test('refunds by the time the request arrived, and repeats its decision', async () => {
    const { id } = await confirmed({ scheduledAt: inHours(12) });
    const half = { percent: 50, refund: eur(2250), retained: eur(2250) };
    expect(await cancelConfirmed(db(), step(id, 'cancel'), id, cancel())).toEqual(half);
    expect(await cancelConfirmed(db(), step(id, 'cancel-2'), id, cancel({ by: 'tutor' }))).toEqual(half);
    expect(await readBooking(db(), id)).toMatchObject({
      status: 'cancelled',
      statusReason: 'cancelled_by_student',
      cancelledBy: 'student',
    });
    expect((await readTimeline(db(), id)).at(-1)).toMatchObject({ actor: 'student', data: { refundPercent: 50 } });
  });

  test('gives all back when the tutor cancels, and nothing where nothing was paid', async () => {
    const paid = await confirmed({ scheduledAt: inHours(1) });
    expect(await cancelConfirmed(db(), step(paid.id, 'c'), paid.id, cancel({ by: 'tutor' }))).toEqual({
      percent: 100,
      refund: eur(4500),
      retained: eur(0),
    });
    const unpaid = await created();
    await confirmPending(db(), step(unpaid.id, 'confirm'), unpaid.id);
    expect(await cancelConfirmed(db(), step(unpaid.id, 'c'), unpaid.id, cancel())).toEqual({
      percent: 100,
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

const cancelNow = () => ({ by: 'student' as const, noteId: null, requestedAt: new Date().toISOString() });

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

  test('a cancel soon after asking, and one of a session that the tutor moved, gives all back', async () => {
    const { id: soon } = await confirmed({ scheduledAt: inHours(12), askedAt: inHours(0) });
    expect((await cancelConfirmed(db(), step(soon, 'c'), soon, cancelNow())).percent).toBe(100);

    const { id } = await confirmed({ scheduledAt: inHours(48) });
    await moveConfirmed(db(), step(id, 'r1'), id, { scheduledAt: inHours(3), by: 'tutor' });
    expect((await cancelConfirmed(db(), step(id, 'c'), id, cancelNow())).percent).toBe(100);

    const { id: chosen } = await confirmed({ scheduledAt: inHours(48) });
    await moveConfirmed(db(), step(chosen, 'r1'), chosen, { scheduledAt: inHours(30), by: 'tutor' });
    await moveConfirmed(db(), step(chosen, 'r2'), chosen, { scheduledAt: inHours(3), by: 'student' });
    expect((await cancelConfirmed(db(), step(chosen, 'c'), chosen, cancelNow())).percent).toBe(0);
  });

  describe('a move is admitted', () => {
    const wish = (scheduledAt: string, by: 'student' | 'tutor' = 'student') => ({
      scheduledAt,
      by,
      requestedAt: new Date().toISOString(),
    });

    test('by the terms, to a time when the student has no other session, also over the session’s own', async () => {
      const { id, studentId, scheduledAt } = await confirmed();
      const other = await confirmed({ studentId, scheduledAt: inHours(80) });
      const quarterLater = new Date(Date.parse(scheduledAt) + HOUR / 4).toISOString();
      await admitMove(db(), id, wish(quarterLater));
      const right = new Date(Date.parse(other.scheduledAt) + HOUR).toISOString();
      await admitMove(db(), id, wish(right));
      const over = new Date(Date.parse(other.scheduledAt) + HOUR / 4).toISOString();
      await expect(admitMove(db(), id, wish(over))).rejects.toEqual(refused('conflict'));
      await expect(admitMove(db(), id, wish(inHours(1), 'tutor'))).rejects.toEqual(refused('invalid_state'));
      await expect(admitMove(db(), id, wish(inHours(-1)))).rejects.toEqual(refused('slot_unavailable'));
      expect((await readBooking(db(), id)).scheduledAt).toBe(scheduledAt);
    });

    test('by when it was asked for, not by when it is looked at', async () => {
      const { id } = await confirmed({ scheduledAt: inHours(24) });
      const late = wish(inHours(80));
      await expect(admitMove(db(), id, { ...late, requestedAt: inHours(1) })).rejects.toEqual(refused('invalid_state'));
      await admitMove(db(), id, { ...late, requestedAt: inHours(-1) });
    });

    test('of a confirmed booking', async () => {
      const { id } = await created();
      await expect(admitMove(db(), id, wish(inHours(80)))).rejects.toEqual(refused('invalid_state'));
      await expect(admitMove(db(), uuidv7(), wish(inHours(80)))).rejects.toEqual(refused('not_found'));
    });
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

import { uuidv7 } from '../../../platform/ids';
import { bookingRows, refused, step } from '../../../tests/support/booking-rows';
import { eur, inHours, payment } from '../../../tests/support/bookings';
import { recordPayment, recordRefund } from './payment-copy';
import { readBooking, readProgress } from './reads';
import { cancelConfirmed, cancelPending, completeConfirmed } from './saga-steps';

const { db, database, created, confirmed, statusOf, typesOf } = bookingRows();

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

  test('that the payer has longer is news, and the same wait again is none', async () => {
    const { id } = await created();
    const asked = payment({ status: 'requires_action', captured: eur(0) });
    const [until, later] = [inHours(1), inHours(2)];
    for (const [index, end] of [until, until, later, null].entries())
      await recordPayment(db(), step(id, `pay-${index}`), id, { ...asked, version: index + 1 }, end);
    const told = await database.sql`
      select data -> 'waiting' as waits from events where stream_id = ${id} and type = 'PaymentProcessed' order by version`;
    expect(told.map(({ waits }) => waits)).toEqual(
      [until, later, null].map((end) => ({ reason: 'awaiting_payment', until: end })),
    );
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

  test.each(['payment', 'refund'] as const)('a refund that becomes known as news of the %s is seen', async (news) => {
    const { id, paid } = await cancelled('tutor', 72);
    const all = { ...paid, version: 2, status: 'refunded', refunded: eur(4500) } as const;
    if (news === 'payment') await recordPayment(db(), step(id, 'news'), id, all, null);
    else await recordRefund(db(), step(id, 'news'), id, all);
    expect(await statusOf(id)).toBe('refunded');
  });

  test('all was given back before the cancel: it ends as it would have ended the other way round', async () => {
    const { id, paid } = await confirmed();
    await recordRefund(db(), step(id, 'r'), id, { ...paid, version: 2, status: 'refunded', refunded: eur(4500) });
    expect(await statusOf(id)).toBe('confirmed');
    const requestedAt = new Date().toISOString();
    await cancelConfirmed(db(), step(id, 'cancel'), id, { by: 'student', noteId: null, requestedAt });
    expect(await readBooking(db(), id)).toMatchObject({ status: 'refunded', statusReason: 'cancelled_by_student' });
  });

  test('the same of a booking that was undone', async () => {
    const undo = { reason: 'slot_unavailable', noteId: null, cancelledBy: null } as const;
    const statuses = ['money first', 'booking first'].map(async (order) => {
      const { id } = await created();
      const paid = payment();
      await recordPayment(db(), step(id, 'paid'), id, paid, null);
      const back = { ...paid, version: 2, status: 'refunded', refunded: eur(4500) } as const;
      if (order === 'booking first') await cancelPending(db(), step(id, 'create/undo'), id, undo);
      await recordPayment(db(), step(id, 'back'), id, back, null);
      if (order === 'money first') await cancelPending(db(), step(id, 'create/undo'), id, undo);
      return statusOf(id);
    });
    expect(await Promise.all(statuses)).toEqual(['refunded', 'refunded']);
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
    expect((await typesOf(id)).slice(-2)).toEqual(['RefundReversed', 'BookingRefundReversed']);
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

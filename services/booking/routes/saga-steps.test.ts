import { uuidv7 } from '../../../platform/ids';
import { bookingServiceUnderTest, key } from '../../../tests/support/booking-service';
import { eur, inHours, payment } from '../../../tests/support/bookings';
import { InternalBooking } from '../contract';

const { service, saga, create, pay, confirmedAtOnce, given } = bookingServiceUnderTest();

describe('the saga’s door', () => {
  test('opens to a service token only', async () => {
    const who = await given(create);
    for (const token of [who.tutorToken, await service.userToken({ role: 'admin' }), '']) {
      const reply = await service.ask('GET', `/internal/bookings/${who.id}`, { token });
      expect(reply.body.code).toBe('unauthenticated');
    }
    const { scheduledAt } = await saga.readForNotices(who.id);
    const reply = await service.internal('POST', `/internal/bookings/${who.id}/reschedule`, { body: { scheduledAt } });
    expect(reply.body.code).toBe('idempotency_key_required');
  });

  test('tells what mails need, and no secret of the payment', async () => {
    const who = await given(async (id) => {
      await create(id);
      await pay(id, payment({ status: 'requires_action', captured: eur(0), clientSecret: 'pi_secret' }), inHours(1));
    });
    const booking = await saga.readForNotices(who.id);
    expect(booking).toMatchObject({
      // A worker of before wants them to be there.
      ...{ studentEmail: '', tutorEmail: '' },
      tutorTimeZone: 'Europe/Berlin',
    });
    expect(JSON.stringify(booking)).not.toContain('pi_secret');
    expect({ ...InternalBooking.parse(booking), studentEmail: '', tutorEmail: '' }).toEqual(booking);
    await expect(saga.readForNotices(uuidv7())).rejects.toMatchObject({ code: 'not_found' });
    await expect(saga.beginRequest(uuidv7())).rejects.toMatchObject({ code: 'not_found' });
  });

  test('tells what happened to a booking, as its parties read it', async () => {
    const who = await given(confirmedAtOnce);
    const { items } = await saga.readTimeline(who.id);
    expect(items.map(({ type }) => type)).toEqual(['BookingRequested', 'PaymentProcessed', 'BookingConfirmed']);
    const read = await service.ask('GET', `/api/bookings/${who.id}/timeline`, { token: who.tutorToken });
    expect(read.body).toEqual({ items });
    await expect(saga.readTimeline(uuidv7())).rejects.toMatchObject({ code: 'not_found' });
  });

  test('whoever asks for a request has begun with it, also a worker of before, and not once it is refused', async () => {
    const [who, other] = [await given(async () => undefined), await given(async () => undefined)];
    const begun = async (id: string) =>
      (await service.database.sql`select saga_started_at from booking_requests where id = ${id}`)[0]?.saga_started_at;
    expect(await begun(who.id)).toBeNull();
    const asked = await saga.beginRequest(who.id);
    const at = await begun(who.id);
    expect(at).toEqual(expect.any(String));
    await saga.beginRequest(who.id);
    expect(await begun(who.id)).toEqual(at);

    const before = await service.internal('GET', `/internal/bookings/${other.id}/request`);
    expect(before.body).toMatchObject({ bookingId: other.id, subject: asked.subject });
    expect(await begun(other.id)).toEqual(expect.any(String));
    await saga.refuseRequest(who.id, { code: 'not_found', detail: 'No' }, key(who.id, 'create/refuse'));
    await expect(saga.beginRequest(who.id)).rejects.toMatchObject({ code: 'undone' });
  });

  test('a step repeated under its key has its first answer; its key with other parameters is refused', async () => {
    const who = await given(confirmedAtOnce);
    const cancel = { by: 'student', noteId: null, requestedAt: new Date().toISOString() } as const;
    const first = await saga.cancelConfirmed(who.id, cancel, key(who.id, 'cancel'));
    expect(await saga.cancelConfirmed(who.id, cancel, key(who.id, 'cancel'))).toEqual(first);
    await expect(saga.cancelConfirmed(who.id, { ...cancel, by: 'tutor' }, key(who.id, 'cancel'))).rejects.toMatchObject(
      { code: 'idempotency_key_reused' },
    );
  });

  test('amounts that contradict each other are refused', async () => {
    const who = await given(create);
    await expect(pay(who.id, payment({ refunded: eur(4501) }))).rejects.toMatchObject({ code: 'validation_failed' });
    await expect(pay(who.id, payment({ captured: { amount: 4500, currency: 'USD' } }))).rejects.toMatchObject({
      code: 'validation_failed',
    });
  });

  test('news of a payment repeated without its deadline are no other news', async () => {
    const who = await given(create);
    const asked = payment({ status: 'requires_action', captured: eur(0), clientSecret: 'pi_secret' });
    const until = inHours(1);
    await pay(who.id, asked, until);
    await pay(who.id, asked);
    expect((await saga.readForNotices(who.id)).waitingUntil).toBe(until);
  });
});

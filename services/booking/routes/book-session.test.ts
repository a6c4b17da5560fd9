import { uuidv7 } from '../../../platform/ids';
import { bookingServiceUnderTest, key, withoutRequestId } from '../../../tests/support/booking-service';
import { eur, inHours, payment } from '../../../tests/support/bookings';
import type { BookingClient } from '../client';

const { service, saga, roles, started, create, pay, undo, confirmedAtOnce, asksTutor, people, book } =
  bookingServiceUnderTest();

describe('booking a session', () => {
  test('an instant tutor: 201 with the confirmed booking and where it is', async () => {
    const who = await people();
    const pricingOptionId = uuidv7();
    const reply = await book(who, { change: { pricingOptionId } });
    expect(reply.status).toBe(201);
    const { id } = reply.body;
    expect(reply.headers.location).toBe(`/api/bookings/${id}`);
    expect(reply.body).toMatchObject({
      status: 'confirmed',
      statusReason: null,
      tutorId: who.tutor,
      studentId: who.student,
      tutorName: 'ada',
      studentName: 'sam',
      subject: 'Maths',
      durationMinutes: 60,
      price: eur(4500),
      payment: { status: 'captured', amount: eur(4500), captured: eur(4500), refunded: eur(0) },
      meetingUrl: null,
      workflowId: `booking:${id}`,
    });
    const read = await service.ask('GET', `/api/bookings/${id}`, { token: who.studentToken });
    expect(read.body).toEqual(reply.body);
    const { tutor, student } = who;
    const { scheduledAt } = reply.body;
    const ids = { bookingId: id, studentId: student, tutorId: tutor, pricingOptionId };
    const input = { ...ids, scheduledAt, durationMinutes: 60, paymentMethodId: 'pm_card_visa' };
    expect(started).toEqual([{ id, input }]);
    expect(await saga.beginRequest(id)).toEqual({ ...ids, subject: 'Maths', scheduledAt, durationMinutes: 60 });
  });

  test('a tutor who must confirm: 201 with the booking that waits for them', async () => {
    roles.script = asksTutor;
    const reply = await book(await people());
    expect(reply.status).toBe(201);
    expect(reply.body).toMatchObject({
      status: 'pending',
      statusReason: 'awaiting_tutor',
      payment: { status: 'authorized' },
    });
    expect(Date.parse(reply.body.waitingUntil)).toBeGreaterThan(Date.now());
  });

  test('3-D Secure: 202 with the client secret; the same key shows today’s state', async () => {
    const asked = payment({ status: 'requires_action', captured: eur(0), clientSecret: 'pi_1_secret_2' });
    roles.script = async (id) => {
      await create(id);
      await pay(id, asked, inHours(1));
    };
    const who = await people();
    const options = { key: uuidv7(), change: { scheduledAt: inHours(72) } };
    const reply = await book(who, options);
    expect(reply.status).toBe(202);
    const { id } = reply.body;
    expect(reply.headers.location).toBe(`/api/bookings/${id}`);
    expect(reply.body).toMatchObject({ statusReason: 'awaiting_payment', payment: { clientSecret: 'pi_1_secret_2' } });
    const [stored] = await service.database.sql`select reply_body from idempotency_keys where key = ${options.key}`;
    expect(JSON.stringify(stored)).not.toContain('secret');
    const seenByTutor = await service.ask('GET', `/api/bookings/${id}`, { token: who.tutorToken });
    expect(JSON.stringify(seenByTutor.body)).not.toContain('pi_1_secret_2');

    await pay(id, { ...asked, version: 2, status: 'captured', captured: eur(4500), clientSecret: null });
    await saga.confirmPending(id, key(id, 'confirm'));
    const again = await book(who, options);
    expect(again).toMatchObject({ status: 202, body: { id, status: 'confirmed', payment: { status: 'captured' } } });
    expect(again.headers.location).toBe(`/api/bookings/${id}`);
  });

  test.each([
    ['payment_declined', 402, 'payment_declined'],
    ['payment_expired', 409, 'payment_expired'],
    ['slot_unavailable', 409, 'slot_unavailable'],
    ['declined', 409, 'invalid_state'],
  ] as const)('undone as %s: %d %s with the booking’s id, and the same again', async (reason, status, code) => {
    roles.script = async (id) => {
      await create(id);
      await pay(id, payment({ status: 'failed', captured: eur(0), declineCode: 'insufficient_funds' }));
      await undo(id, reason);
    };
    const who = await people();
    const options = { key: uuidv7(), change: { scheduledAt: inHours(72) } };
    const reply = await book(who, options);
    expect(reply).toMatchObject({ status, body: { code, status, bookingId: started[0]?.id } });
    expect(reply.headers['content-type']).toMatch(/^application\/problem\+json/);
    if (status === 402) expect(reply.body.declineCode).toBe('insufficient_funds');
    const again = await book(who, options);
    expect(withoutRequestId(again)).toEqual(withoutRequestId(reply));
    expect(started).toHaveLength(1);
  });

  test.each<[string, Parameters<BookingClient['refuseRequest']>[1], number]>([
    ['an unknown tutor', { code: 'not_found', detail: 'There is no such tutor' }, 404],
    [
      'a subject they do not teach',
      { code: 'validation_failed', detail: 'Not taught', errors: [{ path: 'subject', message: 'is not taught' }] },
      422,
    ],
    ['a time outside their hours', { code: 'slot_unavailable', detail: 'Outside the hours' }, 409],
  ])('%s: what the other context said', async (_, refusal, status) => {
    roles.script = async (id) => {
      await saga.refuseRequest(id, refusal, key(id, 'create/refuse'));
      await undo(id, 'slot_unavailable');
    };
    const who = await people();
    const options = { key: uuidv7(), change: { scheduledAt: inHours(72) } };
    const reply = await book(who, options);
    expect(reply).toMatchObject({ status, body: refusal });
    expect(reply.body.bookingId).toBe(status === 409 ? started[0]?.id : undefined);
    expect(withoutRequestId(await book(who, options))).toEqual(withoutRequestId(reply));
  });

  test.each([
    [
      'before the booking was made',
      async (id: string) => {
        await saga.refuseRequest(id, { code: 'upstream_unavailable', detail: 'No answer' }, key(id, 'create/refuse'));
      },
    ],
    [
      'after it, so that it was undone',
      async (id: string) => {
        await create(id);
        await undo(id, 'platform_unavailable');
      },
    ],
  ])('a platform that gave up %s: 503 that is not kept, and the same key gets a new booking', async (_, script) => {
    roles.script = script;
    const who = await people();
    const options = { key: uuidv7(), change: { scheduledAt: inHours(72) } };
    const reply = await book(who, options);
    expect(reply).toMatchObject({ status: 503, body: { code: 'upstream_unavailable' } });
    expect(reply.headers['retry-after']).toBeDefined();
    roles.script = confirmedAtOnce;
    const again = await book(who, options);
    expect(again.status).toBe(201);
    expect(started.map(({ id }) => id)).toEqual([expect.any(String), again.body.id]);
  });

  test('another live booking of the student at that time: 409 at once, without a saga', async () => {
    const who = await people();
    expect((await book(who, { change: { scheduledAt: inHours(72) } })).status).toBe(201);
    const options = { key: uuidv7(), change: { tutorId: uuidv7(), scheduledAt: inHours(72.5) } };
    const reply = await book(who, options);
    expect(reply).toMatchObject({ status: 409, body: { code: 'conflict' } });
    expect(withoutRequestId(await book(who, options))).toEqual(withoutRequestId(reply));
    expect(started).toHaveLength(1);
  });

  test.each([
    ['in the past', '2020-01-01T10:00:00Z'],
    ['more than 365 days ahead', inHours(366 * 24)],
  ])('a time %s is no slot', async (_, scheduledAt) => {
    expect(await book(await people(), { change: { scheduledAt } })).toMatchObject({
      status: 409,
      body: { code: 'slot_unavailable' },
    });
    expect(started).toHaveLength(0);
  });

  test('a repeat after the session began still gets the first reply', async () => {
    const who = await people();
    const options = { key: uuidv7(), change: { scheduledAt: inHours(1) } };
    const first = await book(who, options);
    await service.database
      .sql`update bookings set starts_at = now() - interval '3 hours', ends_at = now() - interval '2 hours' where id = ${first.body.id}`;
    const again = await book(who, options);
    expect(again.status).toBe(201);
    expect(JSON.stringify(again.body)).toBe(JSON.stringify(first.body));
  });

  test.each([
    [{ durationMinutes: 15 }, 'durationMinutes'],
    [{ durationMinutes: 255 }, 'durationMinutes'],
    [{ durationMinutes: 50 }, 'durationMinutes'],
    [{ durationMinutes: 60.5 }, 'durationMinutes'],
    [{ scheduledAt: inHours(72).replace(/..\.000Z$/, '01.000Z') }, 'scheduledAt'],
    [{ scheduledAt: inHours(72).slice(0, -1) }, 'scheduledAt'],
    [{ scheduledAt: 'tomorrow' }, 'scheduledAt'],
    [{ scheduledAt: '0000-01-01T00:00:00Z' }, 'scheduledAt'],
    [{ scheduledAt: '9999-12-31T23:45:00Z' }, 'scheduledAt'],
    [{ scheduledAt: '9999-12-31T23:45:00-14:00' }, 'scheduledAt'],
    [{ tutorId: 'ada' }, 'tutorId'],
    [{ subject: ' ' }, 'subject'],
    [{ subject: 'x\u0000' }, 'subject'],
    [{ paymentMethodId: '4242 4242 4242 4242' }, 'paymentMethodId'],
    [{ price: eur(1) }, 'price'],
    [{ studentId: uuidv7() }, 'studentId'],
  ])('%j is not valid', async (change, path) => {
    const reply = await book(await people(), { change });
    expect(reply).toMatchObject({
      status: 422,
      body: { code: 'validation_failed', errors: expect.arrayContaining([expect.objectContaining({ path })]) },
    });
  });

  test('only students book, with a key and signed in', async () => {
    const who = await people();
    expect((await book(who, { token: who.tutorToken })).body.code).toBe('forbidden');
    expect((await book(who, { token: await service.userToken({ role: 'admin' }) })).body.code).toBe('forbidden');
    expect((await book(who, { token: '' })).body.code).toBe('unauthenticated');
    expect((await book(who, { key: '' })).body.code).toBe('idempotency_key_required');
  });

  test('a key belongs to one person and one body', async () => {
    const [one, other] = [await people(), await people()];
    const options = { key: uuidv7(), change: { scheduledAt: inHours(72) } };
    expect((await book(one, options)).status).toBe(201);
    const changed = await book(one, { key: options.key, change: { scheduledAt: inHours(90) } });
    expect(changed).toMatchObject({ status: 422, body: { code: 'idempotency_key_reused' } });
    expect((await book(other, options)).status).toBe(201);
    expect(started).toHaveLength(2);
  });
});

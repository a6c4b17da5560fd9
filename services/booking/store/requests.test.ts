import { type ClientRequest, releaseKey } from '../../../platform/idempotency';
import { uuidv7 } from '../../../platform/ids';
import { bookingRows, creation, refused, step } from '../../../tests/support/booking-rows';
import { inHours } from '../../../tests/support/bookings';
import type { NewBooking } from '../contract';
import { callOffRequest, claimBooking, claimCommand } from './requests';
import { beginRequest, createPending, refuseRequest } from './saga-steps';

const { db, database, confirmed } = bookingRows();

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
  const calledOff = { by: 'student', noteId: null } as const;

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

  test('a request is called off as long as its saga has not begun, and again to no effect', async () => {
    const { bookingId } = await run(client());
    expect(await callOffRequest(db(), bookingId, calledOff)).toBe(true);
    expect(await callOffRequest(db(), bookingId, calledOff)).toBe(true);
    await expect(beginRequest(db(), bookingId)).rejects.toEqual(refused('undone'));
  });

  test('a request whose saga has begun is called off by asking the saga, one that nobody made by nobody', async () => {
    const { bookingId } = await run(client());
    await beginRequest(db(), bookingId);
    expect(await callOffRequest(db(), bookingId, calledOff)).toBe(false);
    await expect(callOffRequest(db(), uuidv7(), calledOff)).rejects.toEqual(refused('not_found'));
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

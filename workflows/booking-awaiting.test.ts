import { randomUUID } from 'node:crypto';
import { DAY, HOUR } from '../kernel/time';
import { allGoesWell, bookingSagas } from '../tests/support/booking-saga';
import { gate, isAway, type TestActivity } from '../tests/support/saga-harness';
import { type BookingInput, bookingSaga } from './booking.api';

// What may become of an authorisation at Stripe while the tutor is being asked.

const { harness, now, someBooking, awaitingTutor } = bookingSagas();

/** The tutor is asked, and Stripe says `refreshed` of the authorisation from now on. */
function asked(input: BookingInput, refreshed: TestActivity): Record<string, TestActivity> {
  return { ...allGoesWell(input, { instant: false }), refreshPayment: refreshed };
}

const state = (input: BookingInput, status: string, version = 2) => ({
  paymentId: randomUUID(),
  bookingId: input.bookingId,
  captureBefore: null,
  status,
  version,
});

test('it ended there and the webhook says so: the booking ends at once, and both are told', async () => {
  const input = await someBooking(20 * DAY);
  const started = await now();
  const told: string[] = [];
  const saga = await awaitingTutor(input, {
    ...asked(input, () => state(input, 'voided')),
    notifyBooking: ({ notice }: { notice: string }) => void told.push(notice),
  });
  await saga.handle.signal('paymentChanged', { paymentId: randomUUID(), version: 2 });
  await saga.called('cancelBooking');
  expect((await now()) - started).toBeLessThan(HOUR);
  await expect(saga.result()).resolves.toEqual({ outcome: 'cancelled', reason: 'payment_expired' });
  expect(saga.calls.filter((call) => call === 'refreshPayment')).toHaveLength(1);
  expect(saga.calls).toContain('releaseSlot');
  expect(told).toEqual(['requested', 'cancelled']);
});

test('it ended there and the webhook was lost: Stripe is asked every six hours', async () => {
  const input = await someBooking(20 * DAY);
  let looks = 0;
  const saga = await awaitingTutor(
    input,
    asked(input, () => {
      looks += 1;
      return state(input, looks < 3 ? 'authorized' : 'voided', looks < 3 ? 1 : 2);
    }),
  );
  await harness.env.sleep(17 * HOUR);
  expect(looks).toBe(2);
  await harness.env.sleep(2 * HOUR);
  await saga.called('cancelBooking');
  expect(looks).toBe(3);
  await expect(saga.result()).resolves.toMatchObject({ reason: 'payment_expired' });
});

test('it was captured there by hand: the booking still waits for the tutor, and is confirmed or given back', async () => {
  const input = await someBooking(20 * DAY);
  const saga = await awaitingTutor(
    input,
    asked(input, () => state(input, 'captured')),
  );
  await saga.handle.signal('paymentChanged', { paymentId: randomUUID(), version: 2 });
  await saga.called('refreshPayment');
  await saga.update('confirm', { actorId: input.tutorId });
  await saga.becomes('Confirmed');
  expect(saga.calls).not.toContain('settleToZero');
});

test('Stripe is away or hangs while it is asked: the tutor is heard all the same', async () => {
  const input = await someBooking(20 * DAY);
  const hanging = gate(state(input, 'authorized'));
  const saga = await awaitingTutor(input, asked(input, hanging.activity));
  await saga.handle.signal('paymentChanged', { paymentId: randomUUID(), version: 2 });
  await saga.called('refreshPayment');
  await saga.update('confirm', { actorId: input.tutorId });
  await saga.becomes('Confirmed');
  hanging.open();
});

test('nobody can be asked about it: the tutor has six days as ever', async () => {
  const input = await someBooking(20 * DAY);
  const started = await now();
  const saga = await awaitingTutor(input, asked(input, isAway));
  await expect(saga.result()).resolves.toMatchObject({ reason: 'tutor_expired' });
  expect((await now()) - started).toBeGreaterThanOrEqual(6 * DAY - HOUR);
  expect(saga.calls).toContain('settleToZero');
}, 120_000); // six days of attempts

test('a card declined after the bank was asked: the student is told, whose request was answered long ago', async () => {
  const input = await someBooking();
  const told: string[] = [];
  const saga = await harness.start(bookingSaga, input, {
    ...asked(input, () => state(input, 'failed')),
    authorizePayment: () => state(input, 'requires_action', 1),
    notifyBooking: ({ notice }: { notice: string }) => void told.push(notice),
  });
  await expect(saga.result()).resolves.toMatchObject({ reason: 'payment_declined' });
  expect(told).toEqual(['expired']);
});

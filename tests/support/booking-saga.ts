import { randomUUID } from 'node:crypto';
import { DAY } from '../../kernel/time';
import { type BookingInput, bookingSaga } from '../../workflows/booking.api';
import { eur } from './bookings';
import { type SagaHarness, startSagaHarness, type TestActivity } from './saga-harness';

/** Activities with which everything goes well. */
export function allGoesWell(
  input: BookingInput,
  options: { instant?: boolean; captureBefore?: string | null } = {},
): Record<string, TestActivity> {
  const payment = {
    paymentId: randomUUID(),
    bookingId: input.bookingId,
    version: 1,
    captureBefore: options.captureBefore ?? null,
  };
  const done = () => undefined;
  return {
    createBooking: () => ({
      price: eur(4500),
      startsAt: input.scheduledAt,
      endsAt: input.scheduledAt,
      instantBooking: options.instant ?? true,
    }),
    cancelBooking: done,
    holdSlot: done,
    extendHold: done,
    releaseSlot: done,
    blockSlot: done,
    admitMove: done,
    reserveSlot: done,
    unreserveSlot: done,
    keepSlot: done,
    awaitTutor: done,
    authorizePayment: () => ({ ...payment, status: 'authorized' }),
    chargePayment: () => ({ ...payment, status: 'captured' }),
    capturePayment: () => ({ ...payment, status: 'captured' }),
    refreshPayment: () => ({ ...payment, status: 'captured' }),
    abandonPayment: () => ({ ...payment, status: 'voided' }),
    settleToZero: done,
    settleByHand: done,
    giveUpRefund: done,
    confirmBooking: done,
    rescheduleBooking: done,
    completeBooking: done,
    releaseEarnings: done,
    cancelConfirmed: () => ({ percent: 50 }),
    refundShare: () => ({ refundId: randomUUID(), amount: eur(2250) }),
    submitRefund: () => ({ status: 'succeeded', version: 2, tries: 1 }),
    closeRefund: ({ as }) => ({ status: as, version: 3, tries: 1 }),
    recordRefund: done,
    notifyRefund: done,
    notifyBooking: done,
  };
}

/**
 * The saga harness for one test file about bookings, started before its tests and stopped after them; and bookings brought as far as
 * tests need. Whatever a saga of the file called must have run in the trace of the request that started it.
 */
export function bookingSagas() {
  let running: SagaHarness | undefined;
  const reached = () => {
    if (!running) throw new Error('the harness runs from beforeAll to afterAll');
    return running;
  };
  const harness: Pick<SagaHarness, 'env' | 'start' | 'untraced' | 'replay'> = {
    get env() {
      return reached().env;
    },
    get untraced() {
      return reached().untraced;
    },
    start: (saga, input, activities) => reached().start(saga, input, activities),
    replay: (handle) => reached().replay(handle),
  };

  jest.setTimeout(30_000);
  beforeAll(async () => {
    running = await startSagaHarness();
  }, 60_000);
  afterAll(async () => {
    await running?.close();
    expect([...(running?.untraced ?? [])]).toEqual([]);
  });

  async function now(): Promise<number> {
    return harness.env.currentTimeMs();
  }

  return {
    harness,
    /** The time of the sagas, in milliseconds since the epoch. */
    now,

    /** @param startsIn milliseconds until the session starts */
    async someBooking(startsIn = 10 * DAY): Promise<BookingInput> {
      return {
        bookingId: randomUUID(),
        studentId: randomUUID(),
        tutorId: randomUUID(),
        scheduledAt: new Date((await now()) + startsIn).toISOString(),
        durationMinutes: 60,
        paymentMethodId: 'pm_card_visa',
      };
    },

    /** The tutor must confirm: resolves once the booking waits for that. */
    async awaitingTutor(input: BookingInput, activities = allGoesWell(input, { instant: false })) {
      const saga = await harness.start(bookingSaga, input, activities);
      await saga.called('notifyBooking');
      return saga;
    },

    /** The tutor is booked at once: resolves once the booking is confirmed. */
    async confirmed(input: BookingInput, activities = allGoesWell(input)) {
      const saga = await harness.start(bookingSaga, input, activities);
      await saga.called('notifyBooking');
      return saga;
    },

    cancelBy: async (by: 'student' | 'tutor') => ({
      by,
      actorId: randomUUID(),
      noteId: null,
      requestedAt: new Date(await now()).toISOString(),
    }),
  };
}

import { type BookingTerms, createBookingActivities } from '../activities/booking';
import type { Clients } from '../activities/clients';
import { createPaymentActivities } from '../activities/payment';
import { ERROR_CODES, ProblemError } from '../kernel/errors';
import { MINUTE } from '../kernel/time';
import type { Order, Outcome } from './order';

/** The outcome of a step as an engine stores it: a business refusal is an answer and not a failure, so nothing retries it. */
export type Answer<T> = { value: T } | { refused: string };

/**
 * How an engine runs one step: under `name`, again and again until the step answers. A durable engine remembers the
 * answer.
 */
export type RunStep = <T>(name: string, step: () => Promise<Answer<T>>) => Promise<Answer<T>>;

/** The retry policy of every step, that of the product's money steps: 500 ms, doubling, up to 30 s. */
export const RETRY = { firstMs: 500, factor: 2, longestMs: 30_000, attempts: 10 };

/** The steps that all engines share: the product's own activities, which call the product's own services. */
export function createSteps(clients: Clients) {
  const booking = createBookingActivities(clients);
  const payment = createPaymentActivities(clients);
  const keyOf = <Step extends string>({ bookingId }: Order, step: Step) => `booking:${bookingId}/${step}` as const;
  return {
    create: (order: Order): Promise<BookingTerms> =>
      booking.createBooking({ bookingId: order.bookingId, key: keyOf(order, 'create') }),
    async holdSlot(order: Order) {
      const { bookingId, tutorId, scheduledAt: start, durationMinutes } = order;
      const key = keyOf(order, 'hold-slot');
      await booking.holdSlot({ bookingId, tutorId, start, durationMinutes, expiresAt: null, key });
      return null;
    },
    async takePayment(order: Order, terms: BookingTerms) {
      const { bookingId, studentId: payerId, tutorId: payeeId, paymentMethodId } = order;
      const awaitingUntil = new Date(Date.parse(order.requestedAt) + 15 * MINUTE).toISOString();
      const key = keyOf(order, 'take-payment');
      await payment.chargePayment({
        bookingId,
        payerId,
        payeeId,
        paymentMethodId,
        amount: terms.price,
        awaitingUntil,
        key,
      });
      return null;
    },
    async confirm(order: Order) {
      await booking.confirmBooking({ bookingId: order.bookingId, key: keyOf(order, 'confirm') });
      return null;
    },
    async notify(order: Order) {
      const { bookingId } = order;
      await booking.notifyBooking({ bookingId, notice: 'confirmed', key: keyOf(order, 'confirmed') });
      return null;
    },
    async settleToZero(order: Order) {
      await payment.settleToZero({ bookingId: order.bookingId, key: keyOf(order, 'take-payment/undo') });
      return null;
    },
    async releaseSlot(order: Order) {
      await booking.releaseSlot({ bookingId: order.bookingId, key: keyOf(order, 'hold-slot/undo') });
      return null;
    },
    async cancel(order: Order, code: string) {
      const reason = code === 'payment_declined' ? ('payment_declined' as const) : ('slot_unavailable' as const);
      const key = keyOf(order, 'create/undo');
      const nobody = { noteId: null, cancelledBy: null, unavailable: false };
      await booking.cancelBooking({ bookingId: order.bookingId, reason, key, ...nobody });
      return null;
    },
  };
}

export type Steps = ReturnType<typeof createSteps>;

/**
 * The booking saga as an ordinary function, for the engines whose workflows are ordinary functions. It does what
 * `workflows/booking.ts` does for an instant tutor and a card without 3-D Secure, in the same order, with the same undos.
 * `answer` tells the client; `live` is the rest of the booking's life, which here is the wait for its reminder.
 */
export async function bookSession(
  steps: Steps,
  order: Order,
  engine: { run: RunStep; answer(outcome: Outcome): Promise<void>; live(): Promise<void> },
): Promise<void> {
  const undos: [string, () => Promise<null>][] = [];
  const { run } = engine;
  const refused = await request();
  if (refused !== undefined) {
    for (const [name, undo] of undos.reverse()) await must(name, undo);
    await must('create/undo', () => steps.cancel(order, refused));
    return engine.answer({ outcome: 'refused', code: refused });
  }
  await must('confirm', () => steps.confirm(order));
  await engine.answer({ outcome: 'confirmed' });
  await must('notify', () => steps.notify(order));
  await engine.live();

  /** Runs the steps up to the charge, which is the pivot. @returns the code of the step that was refused */
  async function request(): Promise<string | undefined> {
    const created = await run('create', () => answered(() => steps.create(order)));
    if ('refused' in created) return created.refused;
    undos.push(['hold-slot/undo', () => steps.releaseSlot(order)]);
    const held = await run('hold-slot', () => answered(() => steps.holdSlot(order)));
    if ('refused' in held) return held.refused;
    undos.push(['take-payment/undo', () => steps.settleToZero(order)]);
    const paid = await run('take-payment', () => answered(() => steps.takePayment(order, created.value)));
    return 'refused' in paid ? paid.refused : undefined;
  }

  /** Runs a step that may not be refused any more. */
  async function must(name: string, step: () => Promise<null>): Promise<void> {
    const done = await run(name, () => answered(step));
    if ('refused' in done) throw new Error(`${name} of booking ${order.bookingId} was refused: ${done.refused}`);
  }
}

/** A business refusal as an answer; everything else is thrown, to be tried again. */
export async function answered<T>(step: () => Promise<T>): Promise<Answer<T>> {
  try {
    return { value: await step() };
  } catch (error) {
    if (error instanceof ProblemError && !ERROR_CODES[error.code].retryable) return { refused: error.code };
    throw error;
  }
}

/** Runs `work` until it does not throw, by {@link RETRY}. @throws what the last attempt threw */
export async function retrying<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1, pause = RETRY.firstMs; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (attempt === RETRY.attempts) throw error;
      await new Promise((resolve) => setTimeout(resolve, pause));
      pause = Math.min(pause * RETRY.factor, RETRY.longestMs);
    }
  }
}

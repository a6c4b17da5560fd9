import type { Subject } from '../../../kernel/payment-subject';
import { uuidv7 } from '../../../platform/ids';
import type { Reply } from '../service';
import { type Caller, EUR, type PaymentStack } from './stack';

export interface BookingCharge {
  bookingId: string;
  key: string;
  payerId: string;
  payeeId: string;
}

/** A booking as what a payment is for. */
export const ofBooking = (id: string): Subject => ({ kind: 'booking', id });

/** A booking that is about to be paid. */
export function newBooking(): BookingCharge {
  const bookingId = uuidv7();
  return { bookingId, key: `booking:${bookingId}/take-payment`, payerId: uuidv7(), payeeId: uuidv7() };
}

/** Charges a booking as its saga does. */
export function chargeBooking(
  stack: Caller,
  { bookingId, key, payerId, payeeId }: BookingCharge,
  more: { amount?: number; currency?: string; card?: string; capture?: 'manual' | 'automatic' } = {},
): Promise<Reply> {
  return stack.post(`/bookings/${bookingId}/payment`, key, {
    payerId,
    payeeId,
    amount: { ...EUR(more.amount ?? 4500), ...(more.currency && { currency: more.currency }) },
    paymentMethodId: more.card ?? 'pm_card_visa',
    capture: more.capture ?? 'automatic',
  });
}

/** Settles a booking as the undo of its step does. */
export function settleBooking(stack: Caller, { bookingId, key }: BookingCharge): Promise<Reply> {
  return stack.post(`/bookings/${bookingId}/payment/settle`, `${key}/undo`);
}

/** Stripe's balance of EUR is what the ledger says it is. */
export async function expectLedgerIsStripes(stack: PaymentStack): Promise<void> {
  expect((await stack.ledger('EUR')).stripe_balance ?? 0).toBe(await stack.stripeBalance());
}

/** What Stripe has of bookings, and how their customers go through 3-D Secure. */
export function chargesAt(stackOf: () => PaymentStack) {
  /** All intents of a booking at Stripe. */
  async function intentsOf({ bookingId }: BookingCharge): Promise<{ id: string; status: string; metadata: object }[]> {
    const { payment_intents: intents } = await stackOf().state();
    return intents.filter((intent: { metadata: { bookingId?: string } }) => intent.metadata.bookingId === bookingId);
  }

  async function holding(booking: BookingCharge): Promise<string[]> {
    const statuses = (await intentsOf(booking)).map(({ status }) => status);
    return statuses.filter((status) => status === 'succeeded' || status === 'requires_capture');
  }

  async function completeSecure(booking: BookingCharge, how: 'complete' | 'fail' = 'complete'): Promise<void> {
    const [intent] = await intentsOf(booking);
    await stackOf().control('POST', `/3ds/${intent?.id}/${how}`);
  }

  const expectLedger = () => expectLedgerIsStripes(stackOf());

  return { intentsOf, holding, completeSecure, expectLedgerIsStripes: expectLedger };
}

import { uuidv7 } from '../../../platform/ids';
import { beginCharge } from '../../../services/payment/charges/store/attempts';
import { recordIntent } from '../../../services/payment/charges/store/intents';
import type { Intent } from '../../../services/payment/stripe/answers';
import type { TestDatabase } from '../database';
import { ofBooking } from './bookings';
import { EUR } from './stack';

/** Payments that are in the database alone: Stripe is not asked, what it would say is made up. */
export function paymentRows(databaseOf: () => Pick<TestDatabase, 'db'>) {
  let counter = 0;

  function begin(bookingId = uuidv7(), amount = 1000, percent = 15) {
    const wanted = {
      payerId: uuidv7(),
      payeeId: uuidv7(),
      amount: EUR(amount),
      paymentMethodId: 'pm_card_visa',
      capture: 'automatic' as const,
    };
    return beginCharge(databaseOf().db, `booking:${bookingId}/charge`, ofBooking(bookingId), wanted, percent);
  }

  const paid = (amount = 1000, more: Partial<Intent> = {}): Intent => ({
    id: `pi_${++counter}`,
    paymentId: null,
    status: 'succeeded',
    received: amount,
    currency: 'EUR',
    clientSecret: 'secret',
    captureBefore: null,
    declineCode: null,
    movement: null,
    availableOn: new Date(0),
    ...more,
  });

  async function captured(amount = 1000, percent?: number) {
    const { payment } = await begin(uuidv7(), amount, percent);
    return recordIntent(databaseOf().db, payment.id, paid(amount));
  }

  return { begin, paid, captured };
}

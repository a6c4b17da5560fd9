import type { BookingFacts } from '../support/booking-facts';

/** What became of the money: never asked for, declined, reserved and let go, taken, taken and given back. */
export type Money = 'none' | 'declined' | 'voided' | 'captured' | 'refunded';

const STRIPE_FEE = 88;
const NOTHING_AT_STRIPE = { charges: 0, captured: 0, refunded: 0, reserved: 0 };
/** What payment, booking, Stripe and the ledger know of a booking's money. */
export const MONEY: Record<
  Money,
  Pick<BookingFacts, 'payment' | 'shownPayment' | 'earningsDue' | 'stripe' | 'ledger'>
> = {
  none: {
    payment: null,
    shownPayment: null,
    earningsDue: false,
    stripe: { ...NOTHING_AT_STRIPE, intents: [] },
    ledger: {},
  },
  declined: { ...rows('failed 0-0'), stripe: { ...NOTHING_AT_STRIPE, intents: ['canceled'] }, ledger: {} },
  voided: { ...rows('voided 0-0'), stripe: { ...NOTHING_AT_STRIPE, intents: ['canceled'], charges: 1 }, ledger: {} },
  captured: {
    ...rows('captured 4500-0'),
    stripe: { ...NOTHING_AT_STRIPE, intents: ['succeeded'], charges: 1, captured: 4_500 },
    ledger: {
      platform_revenue: -675,
      stripe_balance: 4_500 - STRIPE_FEE,
      stripe_fees: STRIPE_FEE,
      tutor_pending: -3_825,
    },
  },
  // Stripe keeps its fee.
  refunded: {
    ...rows('refunded 4500-4500'),
    stripe: { ...NOTHING_AT_STRIPE, intents: ['succeeded'], charges: 1, captured: 4_500, refunded: 4_500 },
    ledger: { stripe_balance: -STRIPE_FEE, stripe_fees: STRIPE_FEE },
  },
};

function rows(payment: string) {
  return { payment, shownPayment: payment, earningsDue: false };
}

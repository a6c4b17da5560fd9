import { leftOut, type ToldRow } from '../../../../kernel/fold';
import type { PaymentEvent } from '../../events';

/** What events tell of a payment's row, and why they do not tell the rest. */
export const PAYMENT_COLUMNS = {
  id: 'told',
  subjectKind: 'told',
  subjectId: 'told',
  bookingId: 'told',
  payerId: 'told',
  payeeId: 'told',
  status: 'told',
  capture: 'told',
  currency: 'told',
  amount: 'told',
  fee: 'told',
  captured: 'told',
  refunded: 'told',
  refundPending: 'told',
  disputed: 'told',
  chargedBack: 'told',
  paymentMethodId: leftOut("names a card at Stripe, and no event has Stripe's names of things"),
  description: leftOut('the payer writes it, and no event has words of people'),
  stripeIntentId: leftOut("names the payment at Stripe, and no event has Stripe's names of things"),
  clientSecret: leftOut('a secret: with it a payment can be completed'),
  captureBefore: 'told',
  declineCode: 'told_as_code',
  sagaStartedAt: leftOut('only the sweep reads it, which looks for payments whose saga never began'),
  refusal: 'told',
  settledAt: 'told',
  earningsDueAt: 'told',
  availableOn: leftOut('is asked of Stripe, becomes known at any time, and is no new version'),
  releasedAt: 'told',
  receiptIssuedAt: leftOut('the receipt itself says it, with its number'),
  version: 'told',
  createdAt: 'told',
  updatedAt: leftOut('when the row was written last, also for what no event tells'),
} as const;

/** A payment's row as its events tell it. */
export type ToldPayment = ToldRow<typeof PAYMENT_COLUMNS>;

/** The row that a payment's events tell of, in the order of their versions; null when none of them makes one. */
export function foldPayment(events: readonly PaymentEvent[]): ToldPayment | null {
  let payment: ToldPayment | null = null;
  for (const event of events) payment = after(payment, event);
  return payment;
}

function after(before: ToldPayment | null, { type, data, at }: PaymentEvent): ToldPayment | null {
  switch (type) {
    case 'PaymentRequested':
      // One of before does not say all. Nobody needs it: a baseline has come after it.
      return data.state ? { ...rowOf(data, data.state), releasedAt: null, createdAt: at } : before;
    case 'PaymentBaseline':
      return { ...rowOf(data, data.state), releasedAt: data.releasedAt, createdAt: data.createdAt };
    case 'PaymentActionRequired':
    case 'PaymentAuthorized':
    case 'PaymentSucceeded':
    case 'PaymentFailed':
    case 'PaymentVoided':
    case 'PaymentChanged':
      return before && data.state ? { ...before, ...rowOf(data, data.state) } : before;
    case 'EarningsReleased':
      return before && { ...before, releasedAt: at };
    default:
      return before;
  }
}

type Baseline = Extract<PaymentEvent, { type: 'PaymentBaseline' }>['data'];

/** What each event says of the row. */
function rowOf(data: Omit<Baseline, 'state' | 'releasedAt' | 'createdAt'>, state: Baseline['state']) {
  const { subjectKind, subjectId, capture, captureBefore, declineCode, refusal, settledAt, earningsDueAt } = state;
  return {
    ...{ id: data.paymentId, bookingId: data.bookingId, payerId: data.payerId, payeeId: data.payeeId },
    ...{ status: data.status, version: data.paymentVersion, currency: data.amount.currency },
    ...{ amount: data.amount.amount, captured: data.captured.amount, refunded: data.refunded.amount },
    ...{ fee: state.fee.amount, refundPending: state.refundPending.amount },
    ...{ disputed: state.disputed.amount, chargedBack: state.chargedBack.amount },
    ...{ subjectKind, subjectId, capture, captureBefore, declineCode, refusal, settledAt, earningsDueAt },
  };
}

import { leftOut, type ToldRow } from '../../../../kernel/fold';
import type { PaymentEvent } from '../../events';

/** What events tell of a refund's row, and why they do not tell the rest. */
export const REFUND_COLUMNS = {
  id: 'told',
  paymentId: 'told',
  origin: 'told',
  requestedBy: 'told',
  reason: leftOut('whoever asked for it wrote it, and no event has words of people'),
  status: 'told',
  currency: 'told',
  amount: 'told',
  stripeRefundId: leftOut("names the refund at Stripe, and no event has Stripe's names of things"),
  tries: 'told',
  formerStripeIds: leftOut("names earlier tries at Stripe, and no event has Stripe's names of things"),
  closedAs: 'told',
  failureCode: 'told_as_code',
  toldTry: leftOut('what its saga has told the payer, which notification has'),
  sagaStartedAt: leftOut('only the sweep reads it, which looks for refunds whose saga never began'),
  creditNoteIssuedAt: leftOut('the credit note itself says it, with its number'),
  createdAt: 'told',
  updatedAt: leftOut('when the row was written last, also for what no event tells'),
} as const;

/** A refund's row as its events tell it. */
export type ToldRefund = ToldRow<typeof REFUND_COLUMNS>;

/** The row that a refund's events tell of, in the order of their versions; null when none of them makes one. */
export function foldRefund(events: readonly PaymentEvent[]): ToldRefund | null {
  let refund: ToldRefund | null = null;
  for (const event of events) refund = after(refund, event);
  return refund;
}

function after(before: ToldRefund | null, { type, data, at }: PaymentEvent): ToldRefund | null {
  switch (type) {
    case 'RefundBaseline':
      return { ...rowOf(data, data.state), createdAt: data.createdAt };
    case 'RefundRequested':
      // The first one makes it. One that comes later tells of another try.
      return data.state ? { createdAt: at, ...before, ...rowOf(data, data.state) } : before;
    case 'RefundProcessed':
    case 'RefundFailed':
    case 'RefundChanged':
      return before && data.state ? { ...before, ...rowOf(data, data.state) } : before;
    // What was covered or settled, RefundChanged or RefundFailed tells with all that follows from it.
    default:
      return before;
  }
}

type Baseline = Extract<PaymentEvent, { type: 'RefundBaseline' }>['data'];

/** What each event says of the row. */
function rowOf(
  data: Omit<Baseline, 'state' | 'createdAt'>,
  { origin, requestedBy, tries, closedAs }: Baseline['state'],
) {
  const { refundId: id, paymentId, status, amount, failureCode = null } = data;
  return {
    ...{ id, paymentId, status, amount: amount.amount, currency: amount.currency, failureCode },
    ...{ origin, requestedBy, tries, closedAs },
  };
}

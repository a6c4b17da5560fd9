import { leftOut, type ToldRow } from '../../../../kernel/fold';
import type { PaymentEvent } from '../../events';

/** What events tell of a payout's row, and why they do not tell the rest. */
export const PAYOUT_COLUMNS = {
  id: 'told',
  payeeId: 'told',
  origin: 'told',
  status: 'told',
  statusReason: 'told',
  currency: 'told',
  amount: 'told',
  periodFrom: 'told',
  periodTo: 'told',
  stripeAccount: leftOut("names the payee's account at Stripe, and no event has Stripe's names of things"),
  stripeTransferId: leftOut("names the transfer at Stripe, and no event has Stripe's names of things"),
  transferredAt: 'told',
  stripeReversalId: leftOut("names the reversal at Stripe, and no event has Stripe's names of things"),
  reversedAt: 'told',
  stripePayoutId: leftOut("names the payout at Stripe, and no event has Stripe's names of things"),
  bankAccount: leftOut("names the payee's bank account at Stripe, and no event has Stripe's names of things"),
  expectedAt: 'told',
  arrivedAt: 'told',
  failureCode: 'told_as_code',
  stoppedAt: 'told',
  closedAs: 'told',
  returnedAt: 'told',
  sagaStartedAt: leftOut('only the sweep reads it, which looks for payouts whose saga never began'),
  sweptAt: leftOut('only the sweep reads it, which asks Stripe about each once a day'),
  version: 'told',
  createdAt: 'told',
  updatedAt: leftOut('when the row was written last, also for what no event tells'),
} as const;

/** A payout's row as its events tell it. */
export type ToldPayout = ToldRow<typeof PAYOUT_COLUMNS>;

/** The row that a payout's events tell of, in the order of their versions; null when none of them makes one. */
export function foldPayout(events: readonly PaymentEvent[]): ToldPayout | null {
  let payout: ToldPayout | null = null;
  for (const event of events) payout = after(payout, event);
  return payout;
}

function after(before: ToldPayout | null, { type, data, at }: PaymentEvent): ToldPayout | null {
  switch (type) {
    case 'PayoutBaseline':
      return { ...rowOf(data, data.state), createdAt: data.createdAt };
    case 'PayoutInitiated':
      return data.state ? { ...rowOf(data, data.state), createdAt: at } : before;
    case 'PayoutTransferred':
    case 'PayoutCompleted':
    case 'PayoutFailed':
    case 'PayoutCancelled':
    case 'PayoutChanged':
      return before && data.state ? { ...before, ...rowOf(data, data.state) } : before;
    default:
      return before;
  }
}

type Baseline = Extract<PaymentEvent, { type: 'PayoutBaseline' }>['data'];

/** What each event says of the row. */
function rowOf(data: Omit<Baseline, 'state' | 'createdAt'>, state: Baseline['state']) {
  const { payoutId: id, payeeId, status, statusReason, amount, failureCode = null } = data;
  return { id, payeeId, status, statusReason, amount: amount.amount, currency: amount.currency, failureCode, ...state };
}

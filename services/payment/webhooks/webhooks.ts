import { counter } from '../../../platform/telemetry';
import type { Sagas } from '../../../platform/temporal';
import { paymentChanged } from '../../../workflows/payment.api';
import { ownerOfConnected } from '../accounts/store';
import { record } from '../charges/intent';
import { ownerOf, subjectOf } from '../charges/rules';
import { isEndedHere } from '../charges/store/attempts';
import { findPaymentByIntent } from '../charges/store/intents';
import { findPayment, type PaymentRow } from '../charges/store/payments';
import { refreshRefunds } from '../refunds/refresh';
import { wakeRefundSagas } from '../refunds/sagas';
import { unseenRefunds } from '../refunds/store/refunds';
import type { Intent, StripeEvent } from '../stripe/answers';
import type { Till } from '../till';

/** What may change a payment. Every other event is noted, and nothing is done about it. */
const OF_INTENTS = new Set([
  'payment_intent.succeeded',
  'payment_intent.amount_capturable_updated',
  'payment_intent.requires_action',
  'payment_intent.payment_failed',
  'payment_intent.processing',
  'payment_intent.canceled',
  'charge.updated', // Stripe's fee is known now
]);
const OF_REFUNDS = new Set([
  'refund.created',
  'refund.updated',
  'refund.failed',
  'charge.refunded',
  'charge.refund.updated',
]);

type PaymentEvent = StripeEvent & { intentId: string };

/** Whether an event is one of a payment's. Those of connected accounts are about their own business, not about payments of the platform. */
export function mayBeOfPayment({ account, type }: StripeEvent): boolean {
  return !account && (OF_REFUNDS.has(type) || OF_INTENTS.has(type));
}

/** Whether an event may change a payment. */
export function isOfPayment(event: StripeEvent): event is PaymentEvent {
  return mayBeOfPayment(event) && Boolean(event.intentId);
}

const ofConnect = counter(
  'stripe_connect_events_total',
  "Events of connected accounts, by whether the account is one of ours; nobody else's is acted upon",
  ['account'],
);

/** Counts an event of a connected account. Those of an account that is none of ours, or was removed, are noted and left at that. */
export async function countConnect(db: Till['db'], account: string): Promise<void> {
  ofConnect.inc({ account: (await ownerOfConnected(db, account)) ? 'ours' : 'unknown' });
}

/**
 * Acts on an event: asks Stripe what is true now, records it, and tells the saga if it waits for that. What the event says does
 * not count: events come late, twice and out of order. Repeating it does no harm. `again`: the event came before, and how far that got is unknown.
 * @throws ProblemError rate_limited, upstream_unavailable: Stripe shall send the event again
 */
export async function act(till: Till, sagas: Sagas, event: PaymentEvent, { again }: { again: boolean }): Promise<void> {
  const ofRefund = OF_REFUNDS.has(event.type);
  const known = await findPaymentByIntent(till.db, event.intentId);
  // Most events tell nothing new: the charge's own answer has brought the money, and its fee is booked too. Money that was taken
  // stays taken. Whoever recorded it has told the saga; should a crash have prevented that, Stripe sends the event again.
  if (known?.isBooked && !ofRefund && !again) return;
  const found = await askStripe(till, event.intentId, known?.payment);
  if (!found) return;
  let payment = await record(till, found.payment, found.intent);
  if (ofRefund && payment.captured > 0) payment = await refreshRefunds(till, payment);
  const { id: paymentId, version } = payment;
  if (again || (await isNews(till.db, found.payment, payment)))
    await sagas.signal(ownerOf(subjectOf(payment)), paymentChanged, { paymentId, version });
  if (ofRefund) await wakeRefundSagas(sagas, payment, await unseenRefunds(till.db, paymentId));
}

/**
 * Whether a payment's saga has yet to hear of a change. It waits for its customer, and with an authorisation for its tutor; everything
 * else it learns from the answers to its own calls, and each signal costs a workflow task. So of an authorisation that has ended it
 * hears only what it did not do: it lapsed, or somebody cancelled or captured it in Stripe's dashboard.
 */
async function isNews(db: Till['db'], before: PaymentRow, { id, status }: PaymentRow): Promise<boolean> {
  if (before.status === status) return false;
  if (before.status === 'requires_action') return true;
  return before.status === 'authorized' && !(await isEndedHere(db, id));
}

/** What Stripe says of an intent now, and the payment it belongs to. @returns undefined when it is none of ours */
async function askStripe(
  till: Till,
  intentId: string,
  known: PaymentRow | undefined,
): Promise<{ intent: Intent; payment: PaymentRow } | undefined> {
  const intent = await till.stripe.retrieveIntent(intentId);
  if (!intent) return undefined;
  const payment = known ?? (intent.paymentId ? await findPayment(till.db, intent.paymentId) : undefined);
  return payment && { intent, payment };
}

import type Stripe from 'stripe';
import { z } from 'zod';
import { money, requireWholeSteps } from '../memory/amounts';
import { badParameter, refused } from '../memory/errors';
import { newId } from '../memory/ids';
import type { Tx } from '../memory/unit-of-work';
import { type Call, type Endpoint, get, noParams, ok, post } from '../wire/endpoint';
import { amount, changeMetadata, choice, expand, metadata, paging, text } from '../wire/form';
import { page } from '../wire/lists';
import { moveFunds } from './balance';
import { idOf } from './charges';
import { recordEvent } from './events';
import { cardWith } from './test-cards';

interface NewRefund {
  amount: number;
  reason: Stripe.Refund['reason'];
  status: 'pending' | 'succeeded';
  metadata: Record<string, string>;
}

/** Adds a refund and counts it on its charge. What it does to the balance is the caller's business. */
function addRefund(tx: Tx, charge: Stripe.Charge, { amount, reason, status, metadata }: NewRefund) {
  const refund: Stripe.Refund = {
    id: newId('re'),
    object: 'refund',
    amount,
    balance_transaction: null,
    charge: charge.id,
    created: tx.seconds,
    currency: charge.currency,
    customer: idOf(charge.customer),
    customer_account: null,
    destination_details: {
      card: { reference_status: 'pending', reference_type: 'acquirer_reference_number', type: 'refund' },
      type: 'card',
    },
    metadata,
    payment_intent: idOf(charge.payment_intent),
    payment_method: charge.payment_method,
    ...(status === 'pending' ? { pending_reason: 'processing' } : {}),
    reason,
    receipt_number: null,
    source_transfer_reversal: null,
    status,
    transfer_reversal: null,
  };
  tx.refunds.add(refund, [`charge:${charge.id}`, `payment_intent:${idOf(charge.payment_intent)}`]);
  return { refund, refunded: countRefund(tx, charge, amount) };
}

function countRefund(tx: Tx, charge: Stripe.Charge, change: number): Stripe.Charge {
  const refunded = charge.amount_refunded + change;
  return tx.charges.save({ ...charge, amount_refunded: refunded, refunded: refunded === charge.amount });
}

/**
 * Gives back money that was authorised and never captured. Stripe counts it as refunded and makes a refund for it, which
 * has no balance transaction since nothing had moved: "the remaining amount_capturable is automatically refunded".
 * See https://docs.stripe.com/api/payment_intents/cancel
 */
export function releaseAuthorization(tx: Tx, charge: Stripe.Charge, reason: Stripe.Refund['reason']): void {
  const rest = charge.amount - charge.amount_captured - charge.amount_refunded;
  if (rest === 0) return;
  const { refund, refunded } = addRefund(tx, charge, { amount: rest, reason, status: 'succeeded', metadata: {} });
  recordEvent(tx, 'refund.created', refund);
  recordEvent(tx, reason === 'expired_uncaptured_charge' ? 'charge.expired' : 'charge.refunded', refunded, charge);
}

const createParams = z.strictObject({
  amount: amount().optional(),
  charge: text().optional(),
  payment_intent: text().optional(),
  reason: choice('duplicate', 'fraudulent', 'requested_by_customer').optional(),
  metadata: metadata().optional(),
  expand: expand(),
});
type CreateParams = z.output<typeof createParams>;

/**
 * The charge to refund.
 * @throws StripeProblem if there is none, or none whose money was taken
 */
function chargeToRefund(tx: Tx, { charge: chargeId, payment_intent: intentId }: CreateParams): Stripe.Charge {
  if (chargeId === undefined && intentId === undefined) {
    const message = 'One of the following params should be provided for this request: payment_intent or charge.';
    throw badParameter(message, 'payment_intent', 'parameter_missing');
  }
  const intent = intentId === undefined ? undefined : tx.paymentIntents.get(intentId, 'payment_intent');
  const wanted = chargeId ?? idOf(intent?.latest_charge);
  const charge = wanted === null ? undefined : tx.charges.get(wanted, 'charge');
  if (charge === undefined || charge.status !== 'succeeded' || !charge.captured) {
    const owner = intentId ?? idOf(charge?.payment_intent);
    throw refused(`This PaymentIntent (${owner}) does not have a successful charge to refund.`);
  }
  if (intent !== undefined && charge.payment_intent !== intent.id) {
    throw refused(`Charge ${charge.id} does not belong to PaymentIntent ${intent.id}.`, { param: 'charge' });
  }
  return charge;
}

/**
 * While a bank holds the money of a charge nothing of it can be refunded; an inquiry holds none, and a dispute that is won none any more.
 * @throws StripeProblem `charge_disputed`
 */
function requireNoChargeback(tx: Tx, { id }: Stripe.Charge): void {
  for (const dispute of tx.disputes.list({ link: `charge:${id}` })) {
    if (dispute.is_charge_refundable) continue;
    throw refused(`Charge ${id} has been charged back; cannot issue a refund.`, { code: 'charge_disputed' });
  }
}

/**
 * Refunds all or part of what is left of a charge. The balance may go below zero, as at Stripe.
 * See https://docs.stripe.com/api/refunds/create
 * @throws StripeProblem `charge_already_refunded`, `charge_disputed`, or 400 on `amount` if it is more than what is left
 */
function create({ tx }: Call, params: CreateParams) {
  const charge = chargeToRefund(tx, params);
  requireNoChargeback(tx, charge);
  const left = charge.amount - charge.amount_refunded;
  if (left === 0) throw refused(`Charge ${charge.id} has already been refunded.`, { code: 'charge_already_refunded' });
  const amount = params.amount ?? left;
  if (amount !== left) requireWholeSteps(amount, charge.currency);
  if (amount > left) {
    const { currency } = charge;
    throw refused(
      `Refund amount (${money(amount, currency)}) is greater than unrefunded amount on charge (${money(left, currency)})`,
      { param: 'amount' },
    );
  }
  const behaviour = cardWith(charge.payment_method_details?.card?.fingerprint).refunds;
  const { refund, refunded } = addRefund(tx, charge, {
    amount,
    reason: params.reason ?? null,
    status: behaviour === 'succeed_later' ? 'pending' : 'succeeded',
    metadata: changeMetadata({}, params.metadata),
  });
  const transaction = moveFunds(tx, {
    type: 'refund',
    reportingCategory: 'refund',
    amount: -amount,
    currency: charge.currency,
    source: refund.id,
    description: `REFUND FOR CHARGE (${charge.description ?? charge.id})`,
  });
  const booked = tx.refunds.save({ ...refund, balance_transaction: transaction.id });
  if (behaviour !== undefined) {
    const dueAt = tx.unit.now + tx.unit.settings.refundDelayMs;
    tx.unit.schedule('bank', dueAt, tx.account, { kind: 'settle_refund', refund: refund.id });
  }
  recordEvent(tx, 'refund.created', booked);
  recordEvent(tx, 'charge.refunded', refunded, charge);
  return ok(booked);
}

/**
 * The bank's late word on a refund: `pm_card_refundFail` "begins as succeeded. Some time later, its status transitions to
 * failed and sends a refund.failed event", `pm_card_pendingRefund` begins as pending and succeeds.
 * A failed refund's money is back in the balance and can be refunded again.
 * See https://docs.stripe.com/testing#refunds and https://docs.stripe.com/refunds#failed-refunds
 */
export function settleRefund(tx: Tx, id: string): void {
  const before = tx.refunds.find(id);
  const charge = tx.charges.find(idOf(before?.charge) ?? '');
  if (before === undefined || charge === undefined || before.status === 'failed') return;
  if (before.status === 'pending') {
    const { pending_reason: _, ...settled } = before;
    const refund = tx.refunds.save({ ...settled, status: 'succeeded' });
    announce(tx, ['refund.updated', 'charge.refund.updated'], refund, before);
    return;
  }
  failRefund(tx, charge, before, 'expired_or_canceled_card');
}

/**
 * A chargeback takes the money of a charge whose refund is still under way: that refund fails.
 * See https://docs.stripe.com/api/refunds/object#refund_object-failure_reason
 */
export function failPendingRefunds(tx: Tx, chargeId: string): void {
  for (const refund of [...tx.refunds.list({ link: `charge:${chargeId}` })]) {
    if (refund.status !== 'pending') continue;
    failRefund(tx, tx.charges.get(chargeId), refund, 'charge_for_pending_refund_disputed');
  }
}

function failRefund(tx: Tx, charge: Stripe.Charge, before: Stripe.Refund, reason: string): void {
  const transaction = moveFunds(tx, {
    type: 'refund_failure',
    reportingCategory: 'refund_failure',
    amount: before.amount,
    currency: before.currency,
    source: before.id,
    description: `REFUND FAILURE (${before.id})`,
  });
  const { pending_reason: _, ...settled } = before;
  const refund = tx.refunds.save({
    ...settled,
    status: 'failed',
    failure_reason: reason,
    failure_balance_transaction: transaction.id,
  });
  const given = countRefund(tx, charge, -before.amount);
  announce(tx, ['refund.updated', 'refund.failed', 'charge.refund.updated'], refund, before);
  recordEvent(tx, 'charge.updated', given, charge);
}

function announce(tx: Tx, types: Stripe.Event['type'][], refund: Stripe.Refund, before: Stripe.Refund): void {
  for (const type of types) recordEvent(tx, type, refund, before);
}

export const refundEndpoints: Endpoint[] = [
  post('/v1/refunds', createParams, create),
  get('/v1/refunds/:id', noParams, ({ tx, id }) => ok(tx.refunds.get(id))),
  post(
    '/v1/refunds/:id',
    z.strictObject({ metadata: metadata().optional(), expand: expand() }),
    ({ tx, id }, params) => {
      const before = tx.refunds.get(id);
      const refund = tx.refunds.save({ ...before, metadata: changeMetadata(before.metadata ?? {}, params.metadata) });
      announce(tx, ['refund.updated', 'charge.refund.updated'], refund, before);
      return ok(refund);
    },
  ),
  get(
    '/v1/refunds',
    z.strictObject({ ...paging, charge: text().optional(), payment_intent: text().optional() }),
    ({ tx }, params) => {
      const { charge, payment_intent: intent } = params;
      return ok(
        page(tx.refunds, '/v1/refunds', params, {
          link: (charge && `charge:${charge}`) ?? (intent && `payment_intent:${intent}`),
          keep: (refund) => intent === undefined || refund.payment_intent === intent,
        }),
      );
    },
  ),
];

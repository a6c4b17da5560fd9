import type Stripe from 'stripe';
import { z } from 'zod';
import { newId, randomText } from '../memory/ids';
import type { Tx } from '../memory/unit-of-work';
import { type Endpoint, get, noParams, ok, post } from '../wire/endpoint';
import { changeMetadata, clearableText, expand, metadata, paging, text } from '../wire/form';
import { page } from '../wire/lists';
import { feeOn, moveFunds } from './balance';
import { recordEvent } from './events';
import { cardWith, type Decline } from './test-cards';

/** An object's id, whether the field is expanded or not. */
export function idOf(reference: string | { id: string } | null | undefined): string | null {
  if (reference === null || reference === undefined) return null;
  return typeof reference === 'string' ? reference : reference.id;
}

const APPROVED: Stripe.Charge['outcome'] = {
  advice_code: null,
  network_advice_code: null,
  network_decline_code: null,
  network_status: 'approved_by_network',
  reason: null,
  risk_level: 'normal',
  risk_score: 20,
  seller_message: 'Payment complete.',
  type: 'authorized',
};

const AUTHENTICATED = {
  authentication_flow: 'challenge',
  electronic_commerce_indicator: '05',
  exemption_indicator: null,
  result: 'authenticated',
  result_reason: null,
  transaction_id: null,
  version: '2.2.0',
} as const;

/** A charge as the bank has just approved it: authorised, nothing captured. */
function approvedCharge(tx: Tx, intent: Stripe.PaymentIntent, method: Stripe.PaymentMethod): Stripe.Charge {
  const { card } = method;
  return {
    id: newId('ch'),
    object: 'charge',
    amount: intent.amount,
    amount_captured: 0,
    amount_refunded: 0,
    application: null,
    application_fee: null,
    application_fee_amount: null,
    balance_transaction: null,
    billing_details: method.billing_details,
    calculated_statement_descriptor: intent.statement_descriptor ?? 'STRIPE SANDBOX',
    captured: false,
    created: tx.seconds,
    currency: intent.currency,
    customer: idOf(intent.customer),
    description: intent.description,
    disputed: false,
    failure_balance_transaction: null,
    failure_code: null,
    failure_message: null,
    fraud_details: {},
    livemode: false,
    metadata: intent.metadata,
    on_behalf_of: null,
    outcome: APPROVED,
    paid: true,
    payment_intent: intent.id,
    payment_method: method.id,
    payment_method_details: {
      card: {
        amount_authorized: intent.amount,
        authorization_code: randomText(6).toUpperCase(),
        brand: card?.brand ?? null,
        checks: card?.checks ?? null,
        country: card?.country ?? null,
        electronic_commerce_indicator: null,
        exp_month: card?.exp_month ?? 0,
        exp_year: card?.exp_year ?? 0,
        extended_authorization: { status: 'disabled' },
        fingerprint: card?.fingerprint ?? null,
        funding: card?.funding ?? null,
        incremental_authorization: { status: 'unavailable' },
        installments: null,
        last4: card?.last4 ?? null,
        mandate: null,
        multicapture: { status: 'unavailable' },
        network: card?.brand ?? null,
        network_token: { used: false },
        network_transaction_id: randomText(15),
        overcapture: { maximum_amount_capturable: intent.amount, status: 'unavailable' },
        regulated_status: 'unregulated',
        three_d_secure: null,
        transaction_link_id: null,
        wallet: null,
      },
      type: 'card',
    },
    receipt_email: intent.receipt_email,
    receipt_number: null,
    receipt_url: null,
    refunded: false,
    review: null,
    shipping: intent.shipping,
    source: null,
    source_transfer: null,
    statement_descriptor: intent.statement_descriptor,
    statement_descriptor_suffix: intent.statement_descriptor_suffix,
    status: 'succeeded',
    transfer_data: null,
    transfer_group: intent.transfer_group,
  };
}

function linksOf(charge: Stripe.Charge): string[] {
  const { customer, payment_intent: intent, transfer_group: group } = charge;
  return [
    ...(intent === null ? [] : [`payment_intent:${idOf(intent)}`]),
    ...(customer === null ? [] : [`customer:${idOf(customer)}`]),
    ...(group === null ? [] : [`transfer_group:${group}`]),
  ];
}

function withCard(charge: Stripe.Charge, change: Partial<Stripe.Charge.PaymentMethodDetails.Card>): Stripe.Charge {
  const details = charge.payment_method_details;
  if (details?.card === undefined) return charge;
  return { ...charge, payment_method_details: { ...details, card: { ...details.card, ...change } } };
}

interface Authorization {
  authenticated: boolean;
  /** Only a payment that waits for its capture can expire. */
  captureBefore?: number;
}

/** The bank approves: a charge that is not captured yet. The caller records the event, once it knows the rest. */
export function authorizeCharge(
  tx: Tx,
  intent: Stripe.PaymentIntent,
  method: Stripe.PaymentMethod,
  { authenticated, captureBefore }: Authorization,
): Stripe.Charge {
  const charge = withCard(approvedCharge(tx, intent, method), {
    ...(captureBefore === undefined ? {} : { capture_before: captureBefore }),
    ...(authenticated ? { three_d_secure: AUTHENTICATED } : {}),
  });
  return tx.charges.add(charge, linksOf(charge));
}

/** The bank declines: a failed charge stays behind. */
export function declineCharge(
  tx: Tx,
  intent: Stripe.PaymentIntent,
  method: Stripe.PaymentMethod,
  decline: Decline,
): Stripe.Charge {
  const charge: Stripe.Charge = {
    ...approvedCharge(tx, intent, method),
    failure_code: decline.code,
    failure_message: decline.message,
    outcome: {
      advice_code: 'try_again_later',
      network_advice_code: null,
      network_decline_code: null,
      network_status: 'declined_by_network',
      reason: decline.declineCode,
      risk_level: 'normal',
      risk_score: 20,
      seller_message: 'The bank did not return any further details with this decline.',
      type: 'issuer_declined',
    },
    paid: false,
    status: 'failed',
  };
  tx.charges.add(charge, linksOf(charge));
  recordEvent(tx, 'charge.failed', charge);
  return charge;
}

/** Takes the money of an authorised charge; `asynchronously` leaves the balance transaction for later. */
export function captureCharge(tx: Tx, charge: Stripe.Charge, amount: number, asynchronously: boolean): Stripe.Charge {
  const captured: Stripe.Charge = { ...charge, amount_captured: amount, captured: true };
  const { disputes } = cardWith(charge.payment_method_details?.card?.fingerprint);
  if (disputes !== undefined) {
    const dueAt = tx.unit.now + tx.unit.settings.disputeDelayMs;
    tx.unit.schedule('bank', dueAt, tx.account, { kind: 'open_dispute', charge: charge.id });
  }
  const delay = tx.unit.settings.asyncCaptureDelayMs;
  if (asynchronously && delay > 0) {
    tx.unit.schedule('bank', tx.unit.now + delay, tx.account, { kind: 'book_charge', charge: charge.id });
    return tx.charges.save(captured);
  }
  return tx.charges.save({ ...captured, balance_transaction: bookCharge(tx, captured) });
}

function bookCharge(tx: Tx, charge: Stripe.Charge): string {
  const card = cardWith(charge.payment_method_details?.card?.fingerprint);
  return moveFunds(tx, {
    type: 'charge',
    reportingCategory: 'charge',
    amount: charge.amount_captured,
    fee: feeOn(charge.amount_captured, charge.currency),
    currency: charge.currency,
    source: charge.id,
    description: charge.description,
    availableAt: tx.unit.now + (card.bypassesPending ? 0 : tx.unit.settings.fundsDelayMs),
  }).id;
}

/**
 * The late balance transaction of an `automatic_async` capture, announced by `charge.updated`.
 * See https://docs.stripe.com/payments/payment-intents/asynchronous-capture
 */
export function bookLateCharge(tx: Tx, id: string): void {
  const before = tx.charges.find(id);
  if (before === undefined || before.balance_transaction !== null) return;
  const charge = tx.charges.save({ ...before, balance_transaction: bookCharge(tx, before) });
  recordEvent(tx, 'charge.updated', charge, before);
}

export const chargeEndpoints: Endpoint[] = [
  get('/v1/charges/:id', noParams, ({ tx, id }) => ok(tx.charges.get(id))),
  post(
    '/v1/charges/:id',
    z.strictObject({ description: clearableText().optional(), metadata: metadata().optional(), expand: expand() }),
    ({ tx, id }, params) => {
      const before = tx.charges.get(id);
      const { description = before.description, metadata: change } = params;
      const charge = tx.charges.save({ ...before, description, metadata: changeMetadata(before.metadata, change) });
      recordEvent(tx, 'charge.updated', charge, before);
      return ok(charge);
    },
  ),
  get(
    '/v1/charges',
    z.strictObject({
      ...paging,
      customer: text().optional(),
      payment_intent: text().optional(),
      transfer_group: text().optional(),
    }),
    ({ tx }, params) => {
      const { customer, payment_intent: intent, transfer_group: group } = params;
      const link =
        (intent && `payment_intent:${intent}`) ??
        (customer && `customer:${customer}`) ??
        (group && `transfer_group:${group}`);
      return ok(
        page(tx.charges, '/v1/charges', params, {
          link,
          keep: (charge) =>
            (intent === undefined || charge.payment_intent === intent) &&
            (customer === undefined || charge.customer === customer) &&
            (group === undefined || charge.transfer_group === group),
        }),
      );
    },
  ),
];

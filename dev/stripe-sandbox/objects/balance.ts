import type Stripe from 'stripe';
import { z } from 'zod';
import { countingOf } from '../memory/amounts';
import { newId } from '../memory/ids';
import type { Tx } from '../memory/unit-of-work';
import { type Endpoint, get, noParams, ok } from '../wire/endpoint';
import { currency, paging, text } from '../wire/form';
import { page } from '../wire/lists';
import { recordEvent } from './events';

/**
 * Stripe's fee on a charge: 1.4 % plus 25 minor units, rounded half up, whatever the currency: the list price of a
 * European card at a European account, once. Stripe keeps it when the charge is refunded.
 * See https://stripe.com/pricing and https://docs.stripe.com/refunds
 */
export function feeOn(amount: number, code: string): number {
  const { step } = countingOf(code);
  const fee = Math.floor((amount * 14 + 500) / 1000) + 25;
  return Math.ceil(fee / step) * step;
}

/**
 * Stripe's fee for a dispute received: 20.00, whatever the currency: the list price at a European account, once. Stripe never
 * gives it back, nor does winning. See https://stripe.com/pricing and https://docs.stripe.com/disputes/how-disputes-work#dispute-fees
 */
export function disputeFeeIn(code: string): number {
  const { step } = countingOf(code);
  return Math.ceil(2000 / step) * step;
}

interface Movement {
  type: Stripe.BalanceTransaction['type'];
  reportingCategory: string;
  /** Positive into the account, negative out of it. */
  amount: number;
  fee?: number;
  /** What the fee is for; for processing a payment if left out. */
  feeDescription?: string;
  currency: string;
  source: string;
  description?: string | null;
  /** Milliseconds since 1970 from which the money can be transferred on; at once if left out. */
  availableAt?: number;
}

/** Moves money into or out of the account and says so in a balance transaction. */
export function moveFunds(tx: Tx, movement: Movement): Stripe.BalanceTransaction {
  const { amount, fee = 0, feeDescription = 'Stripe processing fees', availableAt = tx.unit.now } = movement;
  const { funds, fundsToCome } = tx.unit.staged;
  const net = amount - fee;
  const balanceKey = [tx.account, movement.currency];
  funds.put(balanceKey, (funds.get(balanceKey) ?? 0) + net);
  const pending = availableAt > tx.unit.now;
  if (pending) {
    fundsToCome.put([tx.account, movement.currency, availableAt, tx.unit.nextSeq()], net);
    tx.unit.schedule('bank', availableAt, tx.account, { kind: 'announce_funds' });
  }
  const transaction: Stripe.BalanceTransaction = {
    id: newId('txn'),
    object: 'balance_transaction',
    amount,
    available_on: Math.floor(availableAt / 1000),
    balance_type: 'payments',
    created: tx.seconds,
    currency: movement.currency,
    description: movement.description ?? null,
    exchange_rate: null,
    fee,
    fee_details:
      fee === 0
        ? []
        : [
            {
              amount: fee,
              application: null,
              currency: movement.currency,
              description: feeDescription,
              type: 'stripe_fee',
            },
          ],
    net,
    reporting_category: movement.reportingCategory,
    source: movement.source,
    status: pending ? 'pending' : 'available',
    type: movement.type,
  };
  return tx.balanceTransactions.add(transaction, [`source:${movement.source}`, `type:${movement.type}`]);
}

/** What can be transferred now: the balance less what is still to come. */
export function availableFunds(tx: Tx, inCurrency: string): number {
  return (tx.unit.staged.funds.get([tx.account, inCurrency]) ?? 0) - pendingFunds(tx, inCurrency);
}

function pendingFunds(tx: Tx, inCurrency: string): number {
  let pending = 0;
  for (const amount of tx.unit.staged.fundsToCome.oldestFirst([tx.account, inCurrency], tx.unit.now)) pending += amount;
  return pending;
}

/** A balance transaction is stored as it was made; whether its money has arrived depends on when one asks. */
function asOfNow(tx: Tx, transaction: Stripe.BalanceTransaction): Stripe.BalanceTransaction {
  return transaction.available_on <= tx.seconds ? { ...transaction, status: 'available' } : transaction;
}

/** An account that never moved money has a balance of zero in its own currency. */
const DEFAULT_CURRENCY = 'eur';

/** The account's balance, per currency. See https://docs.stripe.com/api/balance/balance_object */
export function balanceOf(tx: Tx): Stripe.Balance {
  const moved = Array.from(tx.unit.staged.funds.keysUnder([tx.account]), (key) => String(key[1]));
  const currencies = moved.length === 0 ? [DEFAULT_CURRENCY] : moved.sort();
  return {
    object: 'balance',
    available: currencies.map((code) => {
      const amount = availableFunds(tx, code);
      return { amount, currency: code, source_types: { card: amount } };
    }),
    livemode: false,
    pending: currencies.map((code) => {
      const amount = pendingFunds(tx, code);
      return { amount, currency: code, source_types: { card: amount } };
    }),
  };
}

/** Tells that money which was pending can be used now. See https://docs.stripe.com/api/events/types */
export function announceFunds(tx: Tx): void {
  recordEvent(tx, 'balance.available', balanceOf(tx));
}

export const balanceEndpoints: Endpoint[] = [
  get('/v1/balance', noParams, ({ tx }) => ok(balanceOf(tx))),
  get('/v1/balance_transactions/:id', noParams, ({ tx, id }) => ok(asOfNow(tx, tx.balanceTransactions.get(id)))),
  get(
    '/v1/balance_transactions',
    z.strictObject({ ...paging, currency: currency().optional(), source: text().optional(), type: text().optional() }),
    ({ tx }, params) => {
      const link = params.source !== undefined ? `source:${params.source}` : params.type && `type:${params.type}`;
      const list = page(tx.balanceTransactions, '/v1/balance_transactions', params, {
        link,
        keep: (transaction) =>
          (params.type === undefined || transaction.type === params.type) &&
          (params.currency === undefined || transaction.currency === params.currency),
      });
      return ok({ ...list, data: list.data.map((transaction) => asOfNow(tx, transaction)) });
    },
  ),
];

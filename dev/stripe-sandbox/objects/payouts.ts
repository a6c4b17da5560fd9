/** Payouts: money that leaves a connected account's balance for its bank. See https://docs.stripe.com/api/payouts */
import type Stripe from 'stripe';
import { z } from 'zod';
import { requireWholeSteps } from '../memory/amounts';
import { refused } from '../memory/errors';
import { newId } from '../memory/ids';
import { PLATFORM } from '../memory/tables';
import type { Tx } from '../memory/unit-of-work';
import { type Call, type Endpoint, get, noParams, ok, post } from '../wire/endpoint';
import {
  amount,
  changeMetadata,
  choice,
  clearableText,
  currency,
  expand,
  metadata,
  paging,
  text,
  timeRange,
} from '../wire/form';
import { isWithin, page } from '../wire/lists';
import { availableFunds, moveFunds } from './balance';
import { bankById, defaultBank } from './bank-accounts';
import { recordEvent } from './events';
import { cancelPayout, scheduleStep } from './payout-lifecycle';
import { connectedAccount } from './standing';

const createParams = z.strictObject({
  amount: amount(),
  currency: currency(),
  description: clearableText().optional(),
  destination: text().optional(),
  metadata: metadata().optional(),
  method: choice('standard', 'instant').optional(),
  source_type: choice('card').optional(),
  statement_descriptor: clearableText(22).optional(),
  expand: expand(),
});
type CreateParams = z.output<typeof createParams>;

/**
 * The bank account that a payout goes to. The platform itself has none here.
 * @throws StripeProblem if there is none for the currency, or payouts to it have failed
 */
function destinationOf(tx: Tx, { currency: inCurrency, destination }: CreateParams): Stripe.BankAccount {
  const named = destination === undefined ? undefined : bankById(tx, tx.account, destination, 'destination');
  const bank = named ?? defaultBank(tx, tx.account, inCurrency);
  if (bank === undefined || bank.currency !== inCurrency) {
    throw refused(`Sorry, you don't have any external accounts in that currency (${inCurrency}).`);
  }
  if (bank.status === 'errored') {
    throw refused('The bank account provided cannot be used for payouts. A different bank account must be used.', {
      code: 'bank_account_unusable',
    });
  }
  return bank;
}

/** @throws StripeProblem `payouts_not_allowed` for a connected account that Stripe pays nothing out of */
function requirePayouts(tx: Tx): void {
  if (tx.account === PLATFORM || connectedAccount(tx, tx.account).payouts_enabled) return;
  throw refused(
    "Payouts have been disabled on the connected account. Check the connected account's status to see if any additional information needs to be provided, or if payouts have been disabled for another reason.",
    { code: 'payouts_not_allowed' },
  );
}

/**
 * Sends money to the bank. It leaves the balance at once, and comes back if the payout fails or is cancelled.
 * @throws StripeProblem `balance_insufficient`, besides what its parts throw
 */
function create({ tx }: Call, params: CreateParams) {
  requireWholeSteps(params.amount, params.currency);
  if (params.method === 'instant') {
    throw refused("This bank account doesn't support Instant Payouts.", { code: 'instant_payouts_unsupported' });
  }
  requirePayouts(tx);
  const bank = destinationOf(tx, params);
  if (availableFunds(tx, params.currency) < params.amount) {
    throw refused(
      'You have insufficient funds in your Stripe account. One likely reason you have insufficient funds is that your funds are automatically being paid out; try enabling manual payouts by going to https://dashboard.stripe.com/account/payouts.',
      { code: 'balance_insufficient' },
    );
  }
  const id = newId('po');
  const { settings, now } = tx.unit;
  const { description = null, statement_descriptor: onStatement = null } = params;
  const out = moveFunds(tx, {
    type: 'payout',
    reportingCategory: 'payout',
    amount: -params.amount,
    currency: params.currency,
    source: id,
    description: description ?? 'STRIPE PAYOUT',
  });
  const payout: Stripe.Payout = {
    id,
    object: 'payout',
    amount: params.amount,
    application_fee: null,
    application_fee_amount: null,
    arrival_date: Math.floor((now + settings.payoutPendingMs + settings.payoutTransitMs) / 1000),
    automatic: false,
    balance_transaction: out.id,
    created: tx.seconds,
    currency: params.currency,
    description,
    destination: bank.id,
    failure_balance_transaction: null,
    failure_code: null,
    failure_message: null,
    livemode: false,
    metadata: changeMetadata({}, params.metadata),
    method: 'standard',
    original_payout: null,
    payout_method: null,
    reconciliation_status: 'not_applicable',
    reversed_by: null,
    source_type: 'card',
    statement_descriptor: onStatement,
    status: 'pending',
    trace_id: { status: 'pending', value: null },
    type: 'bank_account',
  };
  tx.payouts.add(payout, [`destination:${bank.id}`]);
  recordEvent(tx, 'payout.created', payout);
  scheduleStep(tx, 'send_payout', id, settings.payoutPendingMs);
  return ok(payout);
}

export const payoutEndpoints: Endpoint[] = [
  post('/v1/payouts', createParams, create),
  get('/v1/payouts/:id', noParams, ({ tx, id }) => ok(tx.payouts.get(id))),
  post(
    '/v1/payouts/:id',
    z.strictObject({ metadata: metadata().optional(), expand: expand() }),
    ({ tx, id }, params) => {
      const before = tx.payouts.get(id);
      const payout = tx.payouts.save({ ...before, metadata: changeMetadata(before.metadata ?? {}, params.metadata) });
      recordEvent(tx, 'payout.updated', payout, before);
      return ok(payout);
    },
  ),
  post('/v1/payouts/:id/cancel', noParams, ({ tx, id }) => ok(cancelPayout(tx, id))),
  get(
    '/v1/payouts',
    z.strictObject({
      ...paging,
      arrival_date: timeRange().optional(),
      destination: text().optional(),
      status: choice('canceled', 'failed', 'in_transit', 'paid', 'pending').optional(),
    }),
    ({ tx }, params) => {
      const { arrival_date: arrival, destination, status } = params;
      return ok(
        page(tx.payouts, '/v1/payouts', params, {
          ...(destination === undefined ? {} : { link: `destination:${destination}` }),
          keep: (payout) =>
            isWithin(payout.arrival_date, arrival) && (status === undefined || payout.status === status),
        }),
      );
    },
  ),
];

import type Stripe from 'stripe';
import { z } from 'zod';
import { requireWholeSteps } from '../memory/amounts';
import { noSuch, refused } from '../memory/errors';
import { newId } from '../memory/ids';
import type { Tx } from '../memory/unit-of-work';
import { type Call, type Endpoint, get, noParams, ok, post } from '../wire/endpoint';
import { amount, changeMetadata, choice, clearableText, currency, expand, metadata, paging, text } from '../wire/form';
import { page } from '../wire/lists';
import { availableFunds, moveFunds } from './balance';
import { idOf } from './charges';
import { recordEvent } from './events';

const createParams = z.strictObject({
  amount: amount(),
  currency: currency(),
  destination: text(),
  description: clearableText().optional(),
  metadata: metadata().optional(),
  source_transaction: text().optional(),
  source_type: choice('card').optional(),
  transfer_group: text().optional(),
  expand: expand(),
});
type CreateParams = z.output<typeof createParams>;

/**
 * The account that is to receive a transfer.
 * @throws StripeProblem `resource_missing`, or `insufficient_capabilities_for_transfer`
 */
function useDestination(tx: Tx, id: string): string {
  const account = tx.accounts.find(id);
  if (account === undefined || account.deleted) throw noSuch('destination', id, 'destination');
  if (account.capabilities?.transfers !== 'active') {
    throw refused(
      'Your destination account needs to have at least one of the following capabilities enabled: transfers, crypto_transfers, legacy_payments',
      { code: 'insufficient_capabilities_for_transfer' },
    );
  }
  return account.id;
}

/**
 * The moment at which the money of the charge behind a transfer arrives. Such a transfer needs no funds now and waits
 * for that moment. See https://docs.stripe.com/connect/separate-charges-and-transfers#transfer-availability
 * @throws StripeProblem if the charge was not captured in this currency, or has less left to transfer
 */
function arrivalOf(tx: Tx, chargeId: string, params: CreateParams): number {
  const charge = tx.charges.get(chargeId, 'source_transaction');
  const booked = tx.balanceTransactions.find(idOf(charge.balance_transaction) ?? '');
  if (booked === undefined || charge.currency !== params.currency) {
    throw refused(`The charge ${chargeId} cannot fund a transfer in ${params.currency}.`, {
      param: 'source_transaction',
    });
  }
  let left = charge.amount_captured;
  for (const earlier of tx.transfers.list({ link: `source:${chargeId}` }))
    left -= earlier.amount - earlier.amount_reversed;
  if (params.amount > left) {
    throw refused(`The transfer amount is greater than what is left of the source charge ${chargeId} (${left}).`, {
      param: 'amount',
    });
  }
  return booked.available_on * 1000;
}

/**
 * Moves money from the platform's balance to a connected account's.
 * See https://docs.stripe.com/api/transfers/create
 * @throws StripeProblem `balance_insufficient` if less is available, besides what its parts throw
 */
function create({ tx }: Call, params: CreateParams) {
  requireWholeSteps(params.amount, params.currency);
  const destination = useDestination(tx, params.destination);
  const source = params.source_transaction;
  const arrival = source === undefined ? undefined : arrivalOf(tx, source, params);
  if (arrival === undefined && availableFunds(tx, params.currency) < params.amount) {
    throw refused(
      'You have insufficient available funds in your Stripe account. Try adding funds directly to your available balance by creating Charges using the 4000000000000077 test card. See: https://stripe.com/docs/testing#available-balance',
      { code: 'balance_insufficient' },
    );
  }
  const id = newId('tr');
  const payment = newId('py');
  const { currency: inCurrency, description = null } = params;
  const movement = { currency: inCurrency, description, ...(arrival === undefined ? {} : { availableAt: arrival }) };
  const out = moveFunds(tx, {
    ...movement,
    type: 'transfer',
    reportingCategory: 'transfer',
    amount: -params.amount,
    source: id,
  });
  moveFunds(tx.as(destination), {
    ...movement,
    type: 'payment',
    reportingCategory: 'charge',
    amount: params.amount,
    source: payment,
  });
  const transfer: Stripe.Transfer = {
    id,
    object: 'transfer',
    amount: params.amount,
    amount_reversed: 0,
    balance_transaction: out.id,
    created: tx.seconds,
    currency: inCurrency,
    description,
    destination,
    destination_payment: payment,
    livemode: false,
    metadata: changeMetadata({}, params.metadata),
    reversals: { object: 'list', data: [], has_more: false, url: `/v1/transfers/${id}/reversals` },
    reversed: false,
    source_transaction: source ?? null,
    source_type: 'card',
    transfer_group: params.transfer_group ?? (source && tx.charges.find(source)?.transfer_group) ?? null,
  };
  const group = transfer.transfer_group;
  tx.transfers.add(transfer, [
    `destination:${destination}`,
    ...(group === null ? [] : [`transfer_group:${group}`]),
    ...(source === undefined ? [] : [`source:${source}`]),
  ]);
  recordEvent(tx, 'transfer.created', transfer);
  return ok(transfer);
}

const reverseParams = z.strictObject({
  amount: amount().optional(),
  description: clearableText().optional(),
  metadata: metadata().optional(),
  expand: expand(),
});

/** Stripe shows the ten newest on the transfer itself. */
const REVERSALS_SHOWN = 10;

/**
 * Takes back all or part of a transfer.
 * See https://docs.stripe.com/api/transfer_reversals/create
 * @throws StripeProblem if that is more than is left of it, or `balance_insufficient` if the account has spent it
 */
function reverse({ tx, id }: Call, params: z.output<typeof reverseParams>) {
  const transfer = tx.transfers.get(id);
  const left = transfer.amount - transfer.amount_reversed;
  const value = params.amount ?? left;
  if (left === 0) throw refused(`Transfer ${id} is already fully reversed.`);
  if (value > left) {
    throw refused(`The reversal amount (${value}) is greater than the unreversed amount of the transfer (${left}).`, {
      param: 'amount',
    });
  }
  const destination = tx.as(idOf(transfer.destination) ?? '');
  if (availableFunds(destination, transfer.currency) < value) {
    throw refused('The connected account has insufficient available funds for this reversal.', {
      code: 'balance_insufficient',
    });
  }
  const reversalId = newId('trr');
  const returned = newId('pyr');
  const { currency: inCurrency } = transfer;
  const back = moveFunds(tx, {
    type: 'transfer_refund',
    reportingCategory: 'transfer_reversal',
    amount: value,
    currency: inCurrency,
    source: reversalId,
    description: params.description ?? null,
  });
  moveFunds(destination, {
    type: 'payment_refund',
    reportingCategory: 'refund',
    amount: -value,
    currency: inCurrency,
    source: returned,
  });
  const reversal: Stripe.TransferReversal = {
    id: reversalId,
    object: 'transfer_reversal',
    amount: value,
    balance_transaction: back.id,
    created: tx.seconds,
    currency: inCurrency,
    destination_payment_refund: returned,
    metadata: changeMetadata({}, params.metadata),
    source_refund: null,
    transfer: id,
  };
  tx.reversals.add(reversal, [`transfer:${id}`]);
  const newest = page(tx.reversals, transfer.reversals.url, { limit: REVERSALS_SHOWN }, { link: `transfer:${id}` });
  const reversed = tx.transfers.save({
    ...transfer,
    amount_reversed: transfer.amount_reversed + value,
    reversed: value === left,
    reversals: newest,
  });
  recordEvent(tx, 'transfer.reversed', reversed, transfer);
  return ok(reversal);
}

export const transferEndpoints: Endpoint[] = [
  post('/v1/transfers', createParams, create),
  get('/v1/transfers/:id', noParams, ({ tx, id }) => ok(tx.transfers.get(id))),
  post(
    '/v1/transfers/:id',
    z.strictObject({ description: clearableText().optional(), metadata: metadata().optional(), expand: expand() }),
    ({ tx, id }, params) => {
      const before = tx.transfers.get(id);
      const { description = before.description, metadata: change } = params;
      const transfer = tx.transfers.save({ ...before, description, metadata: changeMetadata(before.metadata, change) });
      recordEvent(tx, 'transfer.updated', transfer, before);
      return ok(transfer);
    },
  ),
  get(
    '/v1/transfers',
    z.strictObject({ ...paging, destination: text().optional(), transfer_group: text().optional() }),
    ({ tx }, params) => {
      const { destination, transfer_group: group } = params;
      return ok(
        page(tx.transfers, '/v1/transfers', params, {
          link: (group && `transfer_group:${group}`) ?? (destination && `destination:${destination}`),
          keep: (transfer) => destination === undefined || transfer.destination === destination,
        }),
      );
    },
  ),
  post('/v1/transfers/:id/reversals', reverseParams, reverse),
  get('/v1/transfers/:id/reversals', z.strictObject(paging), ({ tx, id }, params) => {
    const { url } = tx.transfers.get(id).reversals;
    return ok(page(tx.reversals, url, params, { link: `transfer:${id}` }));
  }),
  get('/v1/transfers/:id/reversals/:sub', noParams, ({ tx, id, sub }) => {
    const reversal = tx.reversals.get(sub);
    if (reversal.transfer !== id) throw noSuch('transfer reversal', sub);
    return ok(reversal);
  }),
];

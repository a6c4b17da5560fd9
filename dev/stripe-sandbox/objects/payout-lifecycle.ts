/** What a payout goes through: pending, in transit, paid or failed, and sometimes failed after it was paid. */
import type Stripe from 'stripe';
import { refused } from '../memory/errors';
import { randomText } from '../memory/ids';
import type { JobTask } from '../memory/tables';
import type { Tx } from '../memory/unit-of-work';
import { moveFunds } from './balance';
import { disableBank } from './bank-accounts';
import { disablesTheAccount, type FailureCode, failureMessage, fateOf } from './bank-numbers';
import { idOf } from './charges';
import { recordEvent } from './events';

type PayoutStep = Extract<JobTask, { payout: string }>['kind'];

/** Has the bank act on a payout after a while. */
export function scheduleStep(tx: Tx, kind: PayoutStep, payout: string, delayMs: number): void {
  tx.unit.schedule('bank', tx.unit.now + delayMs, tx.account, { kind, payout });
}

type PayoutEvent = Extract<Stripe.Event['type'], `payout.${string}`>;

/** Stores a payout with what has changed of it, and tells. Stripe tells of each change as `payout.updated` too. */
function change(tx: Tx, before: Stripe.Payout, news: Partial<Stripe.Payout>, type?: PayoutEvent): Stripe.Payout {
  const payout = tx.payouts.save({ ...before, ...news });
  recordEvent(tx, 'payout.updated', payout, before);
  if (type !== undefined) recordEvent(tx, type, payout);
  return payout;
}

/** The payout leaves for the bank: from here on nobody can cancel it. */
export function sendPayout(tx: Tx, id: string): void {
  const before = tx.payouts.find(id);
  if (before === undefined || before.status !== 'pending') return;
  change(tx, before, { status: 'in_transit' });
  scheduleStep(tx, 'end_payout', id, tx.unit.settings.payoutTransitMs);
}

/** The bank's word on a payout in transit: the account number says which. */
export function endPayout(tx: Tx, id: string): void {
  const before = tx.payouts.find(id);
  if (before === undefined || before.status !== 'in_transit') return;
  const { failure, afterPaid } = fateOfPayout(tx, before);
  if (failure !== undefined && !afterPaid) failPayout(tx, before, failure);
  else payPayout(tx, before);
}

function fateOfPayout(tx: Tx, payout: Stripe.Payout) {
  const bank = tx.bankAccounts.find(idOf(payout.destination) ?? '');
  // One that was deleted meanwhile says nothing more: the money arrives.
  return bank === undefined || bank.deleted ? {} : fateOf(bank.last4);
}

/** The money is at the bank. It may come back all the same, days later at Stripe. */
export function payPayout(tx: Tx, before: Stripe.Payout): Stripe.Payout {
  const trace = { status: 'supported', value: randomText(15).toUpperCase() };
  const payout = change(tx, before, { status: 'paid', trace_id: trace }, 'payout.paid');
  if (fateOfPayout(tx, payout).afterPaid) {
    scheduleStep(tx, 'return_payout', payout.id, tx.unit.settings.payoutReturnMs);
  }
  return payout;
}

/** "Some payouts might initially show as paid, then change to failed": see https://docs.stripe.com/api/payouts/object */
export function returnPayout(tx: Tx, id: string): void {
  const before = tx.payouts.find(id);
  if (before === undefined || before.status !== 'paid') return;
  failPayout(tx, before, fateOfPayout(tx, before).failure ?? 'account_closed');
}

/** The money is back in the account's balance; after most failures the bank account gets no more. */
export function failPayout(tx: Tx, before: Stripe.Payout, code: FailureCode): Stripe.Payout {
  const back = giveBack(tx, before, 'payout_failure');
  const news = { status: 'failed', failure_code: code, failure_message: failureMessage(code) };
  const payout = change(tx, before, { ...news, failure_balance_transaction: back }, 'payout.failed');
  const bank = idOf(payout.destination);
  if (bank !== null && disablesTheAccount(code)) disableBank(tx, tx.account, bank);
  return payout;
}

/** @throws StripeProblem once it is no longer pending */
export function cancelPayout(tx: Tx, id: string): Stripe.Payout {
  const before = tx.payouts.get(id);
  if (before.status !== 'pending') {
    throw refused(`Payout ${id} cannot be canceled because it is ${before.status}: only pending payouts can be.`);
  }
  const back = giveBack(tx, before, 'payout_cancel');
  return change(tx, before, { status: 'canceled', failure_balance_transaction: back }, 'payout.canceled');
}

function giveBack(tx: Tx, payout: Stripe.Payout, type: 'payout_failure' | 'payout_cancel'): string {
  return moveFunds(tx, {
    type,
    reportingCategory: 'payout_reversal',
    amount: payout.amount,
    currency: payout.currency,
    source: payout.id,
    description: type === 'payout_failure' ? 'PAYOUT FAILURE' : 'PAYOUT CANCEL',
  }).id;
}

/** What a test has the bank say now, instead of waiting for it. */
export type Word = { to: 'in_transit' | 'paid' } | { to: 'failed'; code: FailureCode };

/**
 * Brings a payout further, as the bank would: to failed from any state but the last ones, `paid` among them.
 * @throws StripeProblem where no way leads from its state
 */
export function settlePayoutNow(tx: Tx, id: string, word: Word): Stripe.Payout {
  const before = tx.payouts.get(id);
  const ways = { in_transit: ['pending'], paid: ['pending', 'in_transit'], failed: ['pending', 'in_transit', 'paid'] };
  if (!ways[word.to].includes(before.status)) throw refused(`Payout ${id} is ${before.status}.`);
  if (word.to === 'failed') return failPayout(tx, before, word.code);
  if (before.status === 'pending') sendPayout(tx, id);
  const sent = tx.payouts.get(id);
  return word.to === 'paid' ? payPayout(tx, sent) : sent;
}

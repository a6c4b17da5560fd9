/** What everything comes to: for reconciliations, and for people who want to see all at once. */
import type { Store } from '../memory/store';
import { PLATFORM } from '../memory/tables';
import type { Collection, Tx } from '../memory/unit-of-work';
import { balanceOf } from '../objects/balance';

/** Everything a reconciliation needs in one consistent picture: Node reads it in one turn, between two commits. */
export function stateOf(store: Store) {
  const tx = store.read(PLATFORM);
  const accounts = [...new Set(Array.from(store.funds(), ({ account }) => account))].filter((id) => id !== PLATFORM);
  return {
    payment_intents: all(tx.paymentIntents),
    setup_intents: all(tx.setupIntents),
    charges: all(tx.charges),
    refunds: all(tx.refunds),
    disputes: all(tx.disputes),
    transfers: all(tx.transfers),
    transfer_reversals: all(tx.reversals),
    customers: all(tx.customers),
    accounts: all(tx.accounts),
    balance_transactions: all(tx.balanceTransactions),
    balance: balanceOf(tx),
    connected_balances: Object.fromEntries(accounts.map((id) => [id, balanceOf(tx.as(id))])),
    connected_payouts: Object.fromEntries(accounts.map((id) => [id, all(tx.as(id).payouts)])),
    totals: totalsOf(tx),
    connected_totals: Object.fromEntries(accounts.map((id) => [id, connectedTotalsOf(tx.as(id))])),
    pending_webhooks: store.countJobs('webhook'),
  };
}

function all<T extends { id: string }>(collection: Collection<T>): T[] {
  return Array.from(collection.list());
}

interface Totals {
  captured: number;
  fees: number;
  refunded: number;
  transferred: number;
  /** What banks took back for holders of cards. */
  disputed: number;
  /** What of that came back. */
  reinstated: number;
  disputeFees: number;
  balance: number;
}

const NOTHING: Totals = {
  captured: 0,
  fees: 0,
  refunded: 0,
  transferred: 0,
  disputed: 0,
  reinstated: 0,
  disputeFees: 0,
  balance: 0,
};

/**
 * Per currency: captured − fees − refunded − transferred − disputed + reinstated − dispute fees = balance, always. Failed refunds
 * and reversals are taken off.
 */
function totalsOf(tx: Tx): Record<string, Totals> {
  const totals: Record<string, Totals> = {};
  for (const { currency, amount, fee, net, type, reporting_category: category } of tx.balanceTransactions.list()) {
    const sums = totals[currency] ?? { ...NOTHING };
    totals[currency] = sums;
    if (category === 'dispute') sums.disputeFees += fee;
    else sums.fees += fee;
    sums.balance += net;
    if (category === 'dispute') sums.disputed -= amount;
    if (category === 'dispute_reversal') sums.reinstated += amount;
    if (type === 'charge') sums.captured += amount;
    if (type === 'refund' || type === 'refund_failure') sums.refunded -= amount;
    if (type === 'transfer' || type === 'transfer_refund') sums.transferred -= amount;
  }
  return totals;
}

interface ConnectedTotals {
  received: number;
  paidOut: number;
  balance: number;
}

/** Per currency: received − paid out = balance of an account that is only transferred to. Reversals and payouts that came back are taken off. */
function connectedTotalsOf(tx: Tx): Record<string, ConnectedTotals> {
  const totals: Record<string, ConnectedTotals> = {};
  for (const { currency, amount, net, type } of tx.balanceTransactions.list()) {
    const sums = totals[currency] ?? { received: 0, paidOut: 0, balance: 0 };
    totals[currency] = sums;
    sums.balance += net;
    if (type === 'payment' || type === 'payment_refund') sums.received += amount;
    if (type === 'payout' || type === 'payout_failure' || type === 'payout_cancel') sums.paidOut -= amount;
  }
  return totals;
}

import { ProblemError } from '../../../kernel/errors';
import { DAY } from '../../../kernel/time';
import { isRetryable } from '../../../platform/problem';
import { connectedAccountOf, recordEnabled } from '../accounts/store';
import type { SettledByHand } from '../contract';
import { perform } from '../stripe/attempt';
import { type Attempt, closeWithoutEffect } from '../stripe/store';
import type { Till } from '../till';
import { waitOf } from './rules';
import {
  beginBankPayout,
  beginReversal,
  beginTransfer,
  giveBack,
  recordReversal,
  recordSendRefusal,
  recordSent,
  recordStripePayout,
  recordTransfer,
  recordTransferRefusal,
  recordWait,
  stopPayout,
} from './store/at-stripe';
import { settlePayoutByHand } from './store/by-hand';
import { type PayoutRow, readPayout } from './store/payouts';

/** Asks Stripe what is between a payout and its payee's account, and notes it. @throws ProblemError not_found; rate_limited, upstream_unavailable */
export async function check({ db, stripe }: Till, id: string): Promise<PayoutRow> {
  const payout = await readPayout(db, id);
  if (payout.status !== 'pending') return payout;
  const { payeeId, amount, currency } = payout;
  const accountId = await connectedAccountOf(db, payeeId);
  const account = accountId === null ? null : await stripe.readAccount(accountId);
  await recordEnabled(db, payeeId, account?.isPaid ?? false);
  const banks = accountId !== null && account?.isPaid ? await stripe.listBankAccounts(accountId) : [];
  const available = await stripe.readAvailable(currency);
  return recordWait(db, id, waitOf({ amount, currency }, account, banks, available));
}

/**
 * Transfers a payout's money to its payee's account at Stripe. A refusal is an outcome: it waits for what it lacked then.
 * @throws ProblemError not_found; undone when it was stopped; rate_limited, upstream_unavailable to call again under the same key
 */
export async function transfer(till: Till, id: string, stepKey: string): Promise<PayoutRow> {
  const { db, stripe } = till;
  const { payeeId } = await readPayout(db, id);
  const account = await connectedAccountOf(db, payeeId);
  if (account === null) return recordWait(db, id, 'awaiting_onboarding');
  // One that pays out by its own plan would send the money before its payout.
  await stripe.payOutByHand(account);
  const { payout, attempt } = await beginTransfer(db, stepKey, id, account);
  return attempt ? makeTransfer(till, payout, attempt) : payout;
}

/** Carries out an attempt at a payout's transfer. */
async function makeTransfer({ db, stripe }: Till, payout: PayoutRow, attempt: Attempt): Promise<PayoutRow> {
  const { id, amount, currency, stripeAccount } = payout;
  if (stripeAccount === null) throw new Error(`Payout ${id} has an attempt and no account`);
  const outcome = await perform(attempt, {
    find: async () => (await stripe.listTransfers(id))[0] ?? null,
    send: (key) => stripe.createTransfer(key, { payoutId: id, account: stripeAccount, amount: { amount, currency } }),
    giveUp: () => closeWithoutEffect(db, { attempt, outcome: 'nothing' }),
  });
  if (outcome.kind === 'done') return recordTransfer(db, id, attempt, outcome.value);
  return recordTransferRefusal(db, id, attempt, outcome.code);
}

/**
 * Fetches back what was transferred for a payout, which sends nothing from now on. Of what nobody knows is found out first.
 * @throws ProblemError not_found; transfer_not_reversed when Stripe refuses; rate_limited, upstream_unavailable to call again
 */
export async function reverse(till: Till, id: string, stepKey: string): Promise<PayoutRow> {
  const { db, stripe } = till;
  await stop(till, id);
  const { payout, attempt } = await beginReversal(db, stepKey, id);
  const { stripeTransferId } = payout;
  if (!attempt || stripeTransferId === null) return payout;
  const outcome = await perform(attempt, {
    find: async () => (await stripe.listReversals(stripeTransferId))[0] ?? null,
    send: (key) => stripe.reverseTransfer(key, stripeTransferId),
    giveUp: () => closeWithoutEffect(db, { attempt, outcome: 'nothing' }),
  });
  if (outcome.kind === 'done') return recordReversal(db, id, attempt, outcome.value);
  const { code } = outcome;
  await closeWithoutEffect(db, { attempt, outcome: 'refused', code });
  throw new ProblemError('transfer_not_reversed', undefined, { extras: { stripeCode: code } });
}

/**
 * Stops a payout and finds out what became of its transfer. A request that may still take effect is brought to its end first: what it
 * sends is then fetched back, and under its key Stripe does it once. Of one that is settled already nothing is sent.
 */
async function stop(till: Till, id: string): Promise<void> {
  const { payout, doubtful } = await stopPayout(till.db, id);
  const [newest] = doubtful;
  if (!newest) return;
  if (payout.closedAs || !newest.open) await look(till, payout, newest);
  else if (payout.stripeTransferId === null) await makeTransfer(till, payout, newest);
}

/** Records what Stripe turns out to have made of an attempt at a transfer, or at fetching it back. */
async function look({ db, stripe }: Till, { id, stripeTransferId }: PayoutRow, attempt: Attempt): Promise<void> {
  const made =
    stripeTransferId === null ? await stripe.listTransfers(id) : await stripe.listReversals(stripeTransferId);
  const [found] = made;
  if (found === undefined) await giveUpLate(db, attempt);
  else if (stripeTransferId === null) await recordTransfer(db, id, attempt, found);
  else await recordReversal(db, id, attempt, found);
}

/** A request that Stripe knows nothing of a day later has had no effect, and will have none. */
async function giveUpLate(db: Till['db'], attempt: Attempt): Promise<void> {
  if (attempt.startedAt.getTime() + DAY < Date.now()) await closeWithoutEffect(db, { attempt, outcome: 'nothing' });
}

/**
 * Has a payout's money sent to the bank. A refusal is its reason.
 * @throws ProblemError not_found; undone; invalid_state before the transfer; rate_limited, upstream_unavailable to call again under the same key
 */
export async function send({ db, stripe }: Till, id: string, stepKey: string): Promise<PayoutRow> {
  const { payout, attempt } = await beginBankPayout(db, stepKey, id);
  const { amount, currency, stripeAccount: account } = payout;
  if (!attempt || account === null) return payout;
  const outcome = await perform(attempt, {
    find: async () => (await stripe.findPayouts({ payoutId: id, account }, payout.createdAt))[0] ?? null,
    send: (key) => stripe.createPayout(key, { payoutId: id, account, amount: { amount, currency } }),
    giveUp: () => closeWithoutEffect(db, { attempt, outcome: 'nothing' }),
  });
  if (outcome.kind === 'done') return recordSent(db, id, attempt, outcome.value);
  return recordSendRefusal(db, id, attempt, outcome.code);
}

/** Asks Stripe what became of a payout and records it. @throws ProblemError not_found; rate_limited, upstream_unavailable */
export async function refreshPayout({ db, stripe }: Till, id: string): Promise<PayoutRow> {
  const payout = await readPayout(db, id);
  const { stripeAccount, stripePayoutId } = payout;
  if (stripeAccount === null || stripePayoutId === null) return payout;
  const said = await stripe.readPayout(stripeAccount, stripePayoutId);
  // An account that is gone is an operator's: nothing is made up about its money.
  return said ? recordStripePayout(db, id, said) : payout;
}

/** Fetches back the money of a failed payout, and makes it payable again. @throws ProblemError as `reverse`; invalid_state unless it has failed */
export async function returnPayout(till: Till, id: string, stepKey: string): Promise<PayoutRow> {
  if ((await readPayout(till.db, id)).status !== 'failed')
    throw new ProblemError('invalid_state', 'The payout has not failed');
  await reverse(till, id, stepKey);
  return giveBack(till.db, id);
}

/** An operator has settled a payout by hand. Stripe is asked first what became of its transfer, and nothing is sent. @throws ProblemError not_found */
export async function settleByHand(till: Till, id: string, { as }: SettledByHand): Promise<PayoutRow> {
  await findOut(till, id).catch((error: unknown) => {
    // Stripe's being away is why an operator had to do it by hand.
    if (!isRetryable(error)) throw error;
  });
  return settlePayoutByHand(till.db, id, as);
}

/** Asks Stripe what became of what nobody knows of a stopped payout, and records it. @throws ProblemError not_found; rate_limited, upstream_unavailable */
export async function findOut(till: Till, id: string): Promise<void> {
  const { payout, doubtful } = await stopPayout(till.db, id);
  const [newest] = doubtful;
  if (newest) await look(till, payout, newest);
}

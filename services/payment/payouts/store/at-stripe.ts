import type { Database, Transaction } from '../../../../db/client';
import { ProblemError } from '../../../../kernel/errors';
import type { PayoutReason } from '../../../../kernel/statuses';
import { payoutByHandEntries, payoutEntries, transferEntries } from '../../ledger/rules';
import { post } from '../../ledger/store';
import type { StripePayout } from '../../stripe/answers';
import { type Attempt, type AttemptTarget, closeAttempt, doubtfulAttempts, openAttempt } from '../../stripe/store';
import { payoutStatusAfter, reasonAfterWait, reasonOfRefusal, waitAfterRefusal } from '../rules';
import { changePayout, lockPayout, type PayoutRow } from './payouts';

// What happens to a payout's money at Stripe, as it is recorded here.

/** A payout of which something may be asked of Stripe. */
interface Begun {
  payout: PayoutRow;
  /** What to send; null when it is done already, or is nothing to be done any more. */
  attempt: Attempt | null;
}

/** Notes what a payout waits for, null for nothing. Only while it waits; a word that it has said already changes nothing. @throws ProblemError not_found */
export async function recordWait(db: Database, id: string, reason: PayoutReason | null): Promise<PayoutRow> {
  return locked(db, id, async (tx, row) => {
    if (row.status !== 'pending' || row.stoppedAt || row.statusReason === reason) return row;
    return changePayout(tx, row, { statusReason: reason });
  });
}

/** Begins transferring a payout's money to `account`. @throws ProblemError not_found; undone when it was stopped */
export async function beginTransfer(db: Database, stepKey: string, id: string, account: string): Promise<Begun> {
  return locked(db, id, async (tx, row) => {
    if (row.stoppedAt) throw new ProblemError('undone');
    if (row.stripeTransferId || row.status !== 'pending') return { payout: row, attempt: null };
    const payout = row.stripeAccount === account ? row : await changePayout(tx, row, { stripeAccount: account });
    return { payout, attempt: await openAttempt(tx, target('transfer', stepKey, id)) };
  });
}

/** Records a transfer that Stripe has made, also of a payout that was stopped meanwhile: its undo fetches it back. @throws ProblemError not_found */
export async function recordTransfer(
  db: Database,
  id: string,
  attempt: Attempt,
  stripeTransferId: string,
): Promise<PayoutRow> {
  return locked(db, id, async (tx, row) => {
    await closeAttempt(tx, attempt, 'done');
    if (row.stripeTransferId) return row;
    const { amount, currency } = row;
    const entries = transferEntries(amount, id);
    await post(tx, row, { payoutId: id, kind: 'transfer', reference: stripeTransferId, currency, entries });
    await postAfterSettlement(tx, row, -amount, stripeTransferId);
    const status = payoutStatusAfter(row.status, 'processing');
    return changePayout(tx, row, { status, statusReason: null, stripeTransferId, now: ['transferredAt'] });
  });
}

/** Records that Stripe refused a transfer: the payout waits for what it lacked. @throws ProblemError not_found */
export async function recordTransferRefusal(
  db: Database,
  id: string,
  attempt: Attempt,
  code: string,
): Promise<PayoutRow> {
  return locked(db, id, async (tx, row) => {
    await closeAttempt(tx, attempt, 'refused', code);
    if (row.status !== 'pending') return row;
    const wait = waitAfterRefusal(code);
    return changePayout(
      tx,
      row,
      wait ? { statusReason: wait } : { statusReason: 'refused_by_stripe', failureCode: code },
    );
  });
}

/**
 * Stops a payout: no step of it sends anything from now on. @returns it, with the attempts of which nobody knows what became: at its
 * transfer, or at fetching that back. @throws ProblemError not_found
 */
export async function stopPayout(db: Database, id: string): Promise<{ payout: PayoutRow; doubtful: Doubtful[] }> {
  return locked(db, id, async (tx, row) => {
    const payout = row.stoppedAt ? row : await changePayout(tx, row, { now: ['stoppedAt'] });
    if (payout.reversedAt) return { payout, doubtful: [] };
    const kind = payout.stripeTransferId === null ? 'transfer' : 'reverse_transfer';
    return { payout, doubtful: await doubtfulAttempts(tx, id, kind) };
  });
}
type Doubtful = Attempt & { open: boolean };

/** Begins fetching back a payout's transfer. @throws ProblemError not_found */
export async function beginReversal(db: Database, stepKey: string, id: string): Promise<Begun> {
  return locked(db, id, async (tx, payout) => {
    if (!payout.stripeTransferId || payout.reversedAt || payout.closedAs) return { payout, attempt: null };
    return { payout, attempt: await openAttempt(tx, target('reverse_transfer', stepKey, id)) };
  });
}

/** Records that a payout's transfer was fetched back. @throws ProblemError not_found */
export async function recordReversal(
  db: Database,
  id: string,
  attempt: Attempt,
  stripeReversalId: string,
): Promise<PayoutRow> {
  return locked(db, id, async (tx, row) => {
    await closeAttempt(tx, attempt, 'done');
    if (row.reversedAt) return row;
    const { amount, currency } = row;
    const entries = transferEntries(-amount, id);
    await post(tx, row, { payoutId: id, kind: 'transfer_reversal', reference: stripeReversalId, currency, entries });
    await postAfterSettlement(tx, row, amount, stripeReversalId);
    return changePayout(tx, row, { stripeReversalId, now: ['reversedAt'] });
  });
}

/**
 * Of a payout that an operator has settled, what turns out to have moved at Stripe is the platform's: it bears what has left and earns what
 * is back, as if it had been known then. `gained`: minor units, negative for what has left.
 */
async function postAfterSettlement(
  tx: Transaction,
  { id: payoutId, payeeId, closedAs: kind, currency }: PayoutRow,
  gained: number,
  reference: string,
): Promise<void> {
  if (kind === null) return;
  const entries = payoutByHandEntries(gained, payoutId);
  await post(tx, { payeeId }, { payoutId, kind, reference, currency, entries });
}

/** Begins sending a payout's money to the bank. @throws ProblemError not_found; undone when it was stopped; invalid_state before the transfer */
export async function beginBankPayout(db: Database, stepKey: string, id: string): Promise<Begun> {
  return locked(db, id, async (tx, payout) => {
    if (payout.stripePayoutId) return { payout, attempt: null };
    if (payout.stoppedAt) throw new ProblemError('undone');
    if (!payout.stripeTransferId) throw new ProblemError('invalid_state', 'The money is not at the account yet');
    return { payout, attempt: await openAttempt(tx, target('bank_payout', stepKey, id)) };
  });
}

/** Records that Stripe has taken the order to send a payout to the bank, and what it says of it. @throws ProblemError not_found */
export async function recordSent(db: Database, id: string, attempt: Attempt, made: StripePayout): Promise<PayoutRow> {
  return locked(db, id, async (tx, row) => {
    await closeAttempt(tx, attempt, 'done');
    return apply(tx, row, made);
  });
}

/** Records that Stripe refused to send a payout to the bank. @throws ProblemError not_found */
export async function recordSendRefusal(db: Database, id: string, attempt: Attempt, code: string): Promise<PayoutRow> {
  return locked(db, id, async (tx, row) => {
    await closeAttempt(tx, attempt, 'refused', code);
    if (row.stripePayoutId) return row;
    return changePayout(tx, row, { statusReason: reasonOfRefusal(code), failureCode: code });
  });
}

/** Records what Stripe says of a payout that it has. @throws ProblemError not_found */
export async function recordStripePayout(db: Database, id: string, said: StripePayout): Promise<PayoutRow> {
  return locked(db, id, (tx, row) => apply(tx, row, said));
}

async function apply(tx: Transaction, row: PayoutRow, said: StripePayout): Promise<PayoutRow> {
  const status = payoutStatusAfter(row.status, said.status);
  const isNew = row.stripePayoutId !== said.id || status !== row.status;
  if (!isNew || row.closedAs) return row;
  const { id: stripePayoutId, bankAccount, expectedAt, failureCode } = said;
  return changePayout(tx, row, {
    ...{ status, stripePayoutId, bankAccount, expectedAt },
    ...(status === 'completed' && { statusReason: null, now: ['arrivedAt'] }),
    ...(status === 'failed' && { statusReason: 'refused_by_bank', failureCode }),
  });
}

/**
 * Calls a payout off that the bank has not heard of: its amount is payable again. `reason`: null for what it says already.
 * @throws ProblemError not_found; invalid_state while its money is, or may be, at the payee's account
 */
export async function cancelPayout(db: Database, id: string, reason: PayoutReason | null): Promise<PayoutRow> {
  return locked(db, id, async (tx, row) => {
    if (row.returnedAt || row.closedAs) return row;
    if ((row.stripeTransferId && !row.reversedAt) || (await hasOpenTransfer(tx, row)))
      throw new ProblemError('invalid_state', 'The money is to be fetched back first');
    await postBack(tx, row);
    const statusReason = reason ?? reasonAfterWait(row.statusReason);
    return changePayout(tx, row, { status: 'cancelled', statusReason, now: ['stoppedAt', 'returnedAt'] });
  });
}

async function hasOpenTransfer(tx: Transaction, { id, stripeTransferId }: PayoutRow): Promise<boolean> {
  return stripeTransferId === null && (await doubtfulAttempts(tx, id, 'transfer')).some(({ open }) => open);
}

/** Makes the amount of a failed payout payable again, once its transfer was fetched back. @throws ProblemError not_found, invalid_state */
export async function giveBack(db: Database, id: string): Promise<PayoutRow> {
  return locked(db, id, async (tx, row) => {
    if (row.returnedAt || row.closedAs) return row;
    if (row.status !== 'failed' || !row.reversedAt)
      throw new ProblemError('invalid_state', 'The money has not come back');
    await postBack(tx, row);
    return changePayout(tx, row, { now: ['returnedAt'] });
  });
}

/** Posts a locked payout's amount back to what is payable. */
export async function postBack(tx: Transaction, { id, payeeId, amount, currency }: PayoutRow): Promise<void> {
  const entries = payoutEntries(-amount, id, payeeId);
  await post(tx, { payeeId }, { payoutId: id, kind: 'payout_cancel', reference: id, currency, entries });
}

const target = (kind: AttemptTarget['kind'], stepKey: string, subject: string): AttemptTarget => ({
  ...{ stepKey, kind, subject },
});

/** Runs a change of a payout in a transaction of its own, under its payee's lock and its own. */
export async function locked<T>(
  db: Database,
  id: string,
  change: (tx: Transaction, row: PayoutRow) => Promise<T>,
): Promise<T> {
  return db.transaction(async (tx) => change(tx, await lockPayout(tx, id)));
}

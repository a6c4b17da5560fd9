import { and, asc, desc, eq, gt, inArray, max, notInArray, sql } from 'drizzle-orm';
import { type Database, type Transaction, theOnly } from '../../../../db/client';
import { ledgerEntries, payees, payouts } from '../../../../db/schema/payment';
import { mostOf, stepOf } from '../../../../kernel/currencies';
import { ProblemError } from '../../../../kernel/errors';
import type { Money } from '../../../../kernel/money';
import { type Claim, type ClientRequest, claimKey, storeRefusal } from '../../../../platform/idempotency';
import { uuidOfName, uuidv7 } from '../../../../platform/ids';
import { type Claimed, LEASE_SECONDS } from '../../../../platform/saga-request';
import type { InitiatePayout } from '../../contract';
import { lockPayee, releaseAllDue } from '../../earnings/store';
import { payoutEntries, tutorPayable } from '../../ledger/rules';
import { post } from '../../ledger/store';
import { payoutMinimum, wholeSteps } from '../rules';
import { appendPayoutEvent, type PayoutRow } from './payouts';

// Opening a payout: what is payable is counted and taken in one transaction, under the payee's lock.

type Minimums = ReadonlyMap<string, number>;

/**
 * Opens a payout that its payee asks for, together with their idempotency key, before its saga is started. That it is refused with 409 is
 * stored under the key too, so that the same request gets the same answer. `isConnected`: whether they have an account at Stripe.
 * @throws ProblemError nothing_to_pay, payout_in_progress, payouts_disabled, below_minimum, validation_failed, and those of `claimKey`
 */
export async function requestPayout(
  db: Database,
  request: ClientRequest,
  payeeId: string,
  wanted: InitiatePayout,
  { minimums, isConnected }: { minimums: Minimums; isConnected: boolean },
): Promise<Claimed<Extract<Claim, { kind: 'run' }>>> {
  return db.transaction(async (tx) => {
    const { frozenBy } = await lockPayee(tx, payeeId);
    const claim = await claimKey(tx, request, uuidv7(), LEASE_SECONDS);
    if (claim.kind === 'replay' || !claim.first) return claim;
    try {
      if (!isConnected) throw new ProblemError('payouts_disabled');
      if (frozenBy) throw new ProblemError('payouts_disabled', 'Payouts wait for as long as the account is suspended');
      await releaseAllDue(tx, payeeId);
      const { amount, currency } = wantedOf(await payableOf(tx, payeeId), wanted);
      const least = payoutMinimum(currency, minimums);
      if (amount < least)
        throw new ProblemError('below_minimum', undefined, { extras: { minimum: { amount: least, currency } } });
      const open = await openOf(tx, payeeId, currency);
      if (open) throw new ProblemError('payout_in_progress', undefined, { extras: { payoutId: open } });
      await insertPayout(tx, { id: claim.resourceId, payeeId, origin: 'request', amount, currency });
      return claim;
    } catch (error) {
      if (!(error instanceof ProblemError) || error.status !== 409) throw error;
      await storeRefusal(tx, request, error);
      return { kind: 'refused', problem: error };
    }
  });
}

/** What a payout is to be of. @throws ProblemError nothing_to_pay, validation_failed */
function wantedOf(payable: Money[], { amount: asked, currency: named }: InitiatePayout): Money {
  if (asked && named && asked.currency !== named) throw invalid('currency', `must be ${asked.currency}, as in amount`);
  const code = asked?.currency ?? named;
  const found = payable.filter(({ currency }) => code === undefined || currency === code);
  const [only] = found;
  if (!only) throw new ProblemError('nothing_to_pay');
  if (found.length > 1) throw invalid('currency', `must be one of ${found.map(({ currency }) => currency).join(', ')}`);
  if (!asked) return only;
  const step = stepOf(asked.currency);
  if (asked.amount % step !== 0) throw invalid('amount.amount', `must be a multiple of ${step} minor units`);
  if (asked.amount > only.amount)
    throw new ProblemError('nothing_to_pay', 'Less than that is payable', { extras: { payable: only } });
  return asked;
}

function invalid(path: string, message: string): ProblemError {
  return new ProblemError('validation_failed', undefined, { errors: [{ path: `body.${path}`, message }] });
}

/** A page of payees by id, after this one. */
export async function listPayees(db: Database, after: string | null, limit: number): Promise<string[]> {
  const rows = await db
    .select()
    .from(payees)
    .where(after === null ? undefined : gt(payees.userId, after))
    .orderBy(asc(payees.userId))
    .limit(limit);
  return rows.map(({ userId }) => userId);
}

/** What a payee could be paid out now, in each currency in which it is enough; what is due is made payable first. Nothing while they are suspended. */
export async function countPayable(db: Database, payeeId: string, minimums: Minimums): Promise<Money[]> {
  return db.transaction(async (tx) => {
    const { frozenBy } = await lockPayee(tx, payeeId);
    await releaseAllDue(tx, payeeId);
    if (frozenBy) return [];
    const payable = await payableOf(tx, payeeId);
    return payable.filter(({ amount, currency }) => amount >= payoutMinimum(currency, minimums));
  });
}

/**
 * Opens a payee's payout of a week. `week`: of ISO 8601. @returns undefined when they have had it, another is under way, too little is payable, or they are
 * suspended
 */
export async function openWeekly(
  db: Database,
  { payeeId, currency, week, minimums }: { payeeId: string; currency: string; week: string; minimums: Minimums },
): Promise<PayoutRow | undefined> {
  return db.transaction(async (tx) => {
    const { frozenBy } = await lockPayee(tx, payeeId);
    const id = uuidOfName(payeeId, `${currency}/${week}`);
    const [had] = await tx.select({ id: payouts.id }).from(payouts).where(eq(payouts.id, id));
    const payable = (await payableOf(tx, payeeId)).find((money) => money.currency === currency);
    if (frozenBy || had || !payable || payable.amount < payoutMinimum(currency, minimums)) return undefined;
    if (await openOf(tx, payeeId, currency)) return undefined;
    return insertPayout(tx, { ...{ id, payeeId, origin: 'schedule' }, ...payable });
  });
}

/** The latest payout of a payee in a currency. */
export async function latestPayout(db: Database, payeeId: string, currency: string): Promise<PayoutRow | undefined> {
  const [row] = await db
    .select()
    .from(payouts)
    .where(and(eq(payouts.payeeId, payeeId), eq(payouts.currency, currency)))
    .orderBy(desc(payouts.createdAt))
    .limit(1);
  return row;
}

/** What is payable to a locked payee, as far as Stripe can move it at once. */
async function payableOf(tx: Transaction, payeeId: string): Promise<Money[]> {
  const { account, currency, amount } = ledgerEntries;
  const rows = await tx
    .select({ currency, amount: sql<number>`-sum(${amount})`.mapWith(Number) })
    .from(ledgerEntries)
    .where(eq(account, tutorPayable(payeeId)))
    .groupBy(currency)
    .orderBy(asc(currency));
  return rows
    .map((row) => ({ ...row, amount: Math.min(wholeSteps(row.amount, row.currency), mostOf(row.currency)) }))
    .filter((row) => row.amount > 0);
}

async function openOf(tx: Transaction, payeeId: string, currency: string): Promise<string | undefined> {
  const [open] = await tx
    .select({ id: payouts.id })
    .from(payouts)
    .where(and(isOf(payeeId, currency), inArray(payouts.status, ['pending', 'processing'])));
  return open?.id;
}

const isOf = (payeeId: string, currency: string) => and(eq(payouts.payeeId, payeeId), eq(payouts.currency, currency));

/** Stores a payout of a locked payee and takes its amount from what is payable. */
async function insertPayout(
  tx: Transaction,
  wanted: Pick<PayoutRow, 'id' | 'payeeId' | 'origin' | 'amount' | 'currency'>,
): Promise<PayoutRow> {
  const { id: payoutId, payeeId, amount, currency } = wanted;
  const before = await tx
    .select({ to: max(payouts.periodTo) })
    .from(payouts)
    .where(and(isOf(payeeId, currency), notInArray(payouts.status, ['failed', 'cancelled'])));
  const stored = await tx
    .insert(payouts)
    .values({
      ...wanted,
      status: 'pending',
      periodFrom: theOnly(before).to,
      periodTo: sql`now()`,
      // Pages end at a JavaScript time.
      createdAt: sql`date_trunc('milliseconds', now())`,
    })
    .returning();
  const entries = payoutEntries(amount, payoutId, payeeId);
  await post(tx, { payeeId }, { payoutId, kind: 'payout_open', reference: payoutId, currency, entries });
  await appendPayoutEvent(tx, 'PayoutInitiated', theOnly(stored));
  return theOnly(stored);
}

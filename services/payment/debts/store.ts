import { and, asc, desc, eq, gt, inArray, lte, sql } from 'drizzle-orm';
import { type Database, type Transaction, theOnly } from '../../../db/client';
import { debts, ledgerEntries, ledgerTransactions } from '../../../db/schema/payment';
import { ProblemError } from '../../../kernel/errors';
import { uuidv7 } from '../../../platform/ids';
import { appendEvent } from '../../../platform/outbox';
import type { DebtState, SettleDebt } from '../contract';
import { lockPayee, releaseAllDue } from '../earnings/store';
import { paymentEvents } from '../events';
import { debtByHandEntries, tutorPayable } from '../ledger/rules';
import { post } from '../ledger/store';
import { type BelowZero, debtStateOf, isForOperator } from './rules';

// What payees are below zero by, read from the ledger whenever it is asked: what is stored of a debt is that an operator sees it. Under a
// payee's lock nothing of theirs becomes payable or is paid out; a refund may come, and is the next debt.

/** A debt as it is stored. */
export type DebtRow = typeof debts.$inferSelect;

/** Whose debt it is. */
export interface DebtOf {
  payeeId: string;
  currency: string;
}

/** Those of `payeeIds` who are below zero so far or so long that an operator is to see it. */
export async function payeesForOperator(db: Database, payeeIds: readonly string[]): Promise<string[]> {
  const found = await belowZero(db, payeeIds);
  return [...new Set(found.filter(isForOperator).map(({ payeeId }) => payeeId))];
}

/** The debts of `payeeIds` that are open. */
export async function openDebtsOf(db: Database, payeeIds: readonly string[]): Promise<DebtRow[]> {
  return db
    .select()
    .from(debts)
    .where(and(eq(debts.status, 'open'), inArray(debts.payeeId, [...payeeIds])))
    .orderBy(asc(debts.payeeId), asc(debts.currency));
}

/**
 * Opens what a payee is below zero by, in each currency in which an operator is to see it; what is due is made payable first. @returns
 * those that were not open
 */
export async function openDebts(db: Database, payeeId: string): Promise<DebtRow[]> {
  return locked(db, payeeId, async (tx) => {
    const wanted = (await belowZero(tx, [payeeId])).filter(isForOperator);
    if (wanted.length === 0) return [];
    const opened = await tx
      .insert(debts)
      .values(wanted.map(({ ageMs: _, ...debt }) => ({ ...debt, id: uuidv7(), status: 'open' as const })))
      .onConflictDoNothing()
      .returning();
    for (const row of opened) await appendDebtEvent(tx, 'DebtOpened', row, row.amount);
    return opened;
  });
}

/** The open debt of a payee, or their latest, closed if what they have earned since has paid it. @throws ProblemError not_found */
export async function lookAtDebt(db: Database, { payeeId, currency }: DebtOf): Promise<DebtState> {
  return locked(db, payeeId, async (tx) => {
    const [latest] = await tx
      .select()
      .from(debts)
      .where(isOf({ payeeId, currency }))
      .orderBy(desc(debts.openedAt), desc(debts.id))
      .limit(1)
      .for('update');
    if (!latest) throw new ProblemError('not_found');
    if (latest.status !== 'open') return debtStateOf(latest, 0);
    const left = await leftOf(tx, latest);
    return left === 0 ? recovered(tx, latest) : debtStateOf(latest, left);
  });
}

/**
 * Records that an operator has settled a debt by hand. What is left of it at this moment is posted to the platform, by the name that the
 * operator gave it. What is closed stays as it is, and so does what earnings have paid. @throws ProblemError not_found
 */
export async function settleDebt(db: Database, of: DebtOf, { debtId, as }: SettleDebt): Promise<DebtState> {
  const { payeeId, currency } = of;
  return locked(db, payeeId, async (tx) => {
    const [row] = await tx
      .select()
      .from(debts)
      .where(and(eq(debts.id, debtId), isOf(of)))
      .for('update');
    if (!row) throw new ProblemError('not_found');
    if (row.status !== 'open') return debtStateOf(row, 0);
    const left = await leftOf(tx, row);
    if (left === 0) return recovered(tx, row);
    const entries = debtByHandEntries(left, payeeId);
    await post(tx, of, { debtId, kind: as, reference: debtId, currency, entries });
    const settled = await close(tx, row, { status: 'settled', closedAs: as });
    await appendDebtEvent(tx, 'DebtSettled', settled, left);
    return debtStateOf(settled, 0);
  });
}

/** Earnings have paid it. */
async function recovered(tx: Transaction, row: DebtRow): Promise<DebtState> {
  const closed = await close(tx, row, { status: 'recovered' });
  await appendDebtEvent(tx, 'DebtRecovered', closed, 0);
  return debtStateOf(closed, 0);
}

async function close(
  tx: Transaction,
  { id }: DebtRow,
  how: Pick<DebtRow, 'status'> & Partial<DebtRow>,
): Promise<DebtRow> {
  const closed = await tx
    .update(debts)
    .set({ ...how, closedAt: sql`now()` })
    .where(eq(debts.id, id))
    .returning();
  return theOnly(closed);
}

/** Works under a payee's lock, with all payable that is due. */
async function locked<T>(db: Database, payeeId: string, work: (tx: Transaction) => Promise<T>): Promise<T> {
  return db.transaction(async (tx) => {
    await lockPayee(tx, payeeId);
    await releaseAllDue(tx, payeeId);
    return work(tx);
  });
}

const isOf = ({ payeeId, currency }: DebtOf) => and(eq(debts.payeeId, payeeId), eq(debts.currency, currency));

async function leftOf(tx: Transaction, { payeeId, currency }: DebtOf): Promise<number> {
  const found = await belowZero(tx, [payeeId]);
  return found.find((below) => below.currency === currency)?.amount ?? 0;
}

/**
 * What each of `payeeIds` is below zero by, and since when: since the last movement that took them there. Movements are in the order in
 * which a wallet shows them.
 */
async function belowZero(db: Database | Transaction, payeeIds: readonly string[]): Promise<BelowZero[]> {
  const payeeOf = new Map(payeeIds.map((payeeId) => [tutorPayable(payeeId), payeeId]));
  const { account, currency, amount } = ledgerEntries;
  const { id, postedAt } = ledgerTransactions;
  const debit = sql<number>`sum(${amount})`.mapWith(Number);
  // Most payees are not below zero: only of those who are each movement is looked at.
  const below = db.$with('below').as(
    db
      .select({ account, currency, total: debit.as('total') })
      .from(ledgerEntries)
      .where(inArray(account, [...payeeOf.keys()]))
      .groupBy(account, currency)
      .having(gt(debit, 0)),
  );
  const moved = db.$with('moved').as(
    db
      .select({
        ...{ account: below.account, currency: below.currency, total: below.total, at: postedAt, id },
        ...{ moves: sql<number>`${amount}`.mapWith(Number).as('moves') },
        after: sql<number>`sum(${amount}) over (partition by ${account}, ${currency} order by ${id})`
          .mapWith(Number)
          .as('debt_after'),
      })
      .from(below)
      .innerJoin(ledgerEntries, and(eq(account, below.account), eq(currency, below.currency)))
      .innerJoin(ledgerTransactions, eq(ledgerEntries.transactionId, id)),
  );
  const rows = await db
    .with(below, moved)
    .selectDistinctOn([moved.account, moved.currency], {
      ...{ account: moved.account, currency: moved.currency, amount: moved.total, since: moved.at },
      ageMs: sql<number>`extract(epoch from now() - ${moved.at}) * 1000`.mapWith(Number),
    })
    .from(moved)
    .where(and(gt(moved.after, 0), lte(sql`${moved.after} - ${moved.moves}`, 0)))
    .orderBy(asc(moved.account), asc(moved.currency), desc(moved.id));
  return rows.flatMap(({ account: of, ...row }) => {
    const payeeId = payeeOf.get(of);
    return payeeId === undefined ? [] : [{ ...row, payeeId }];
  });
}

type DebtEvent = Extract<keyof typeof paymentEvents, `Debt${string}`>;

/** Tells of a debt. `amount`: what it was when this happened, in minor units. */
async function appendDebtEvent(tx: Transaction, type: DebtEvent, row: DebtRow, amount: number): Promise<void> {
  const { id: debtId, payeeId, currency, status, since, closedAs } = row;
  const data = {
    ...{ debtId, payeeId, participantIds: [payeeId], status, amount: { amount, currency }, since: since.toISOString() },
    ...(closedAs && { closedAs }),
  };
  await appendEvent(tx, paymentEvents, { streamId: debtId, type, data });
}

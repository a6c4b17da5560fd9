import { and, asc, desc, eq, gte, inArray, isNull, lt, min, ne, type SQL, sql } from 'drizzle-orm';
import type { Database } from '../../../db/client';
import { disputes, ledgerEntries, ledgerTransactions, payments, payouts } from '../../../db/schema/payment';
import { bookingIdOf } from '../charges/rules';
import type { EntriesQuery, WalletBalance, WalletEntry } from '../contract';
import { tutorFrozen, tutorPayable, tutorPending } from '../ledger/rules';
import { payoutMinimum } from '../payouts/rules';
import type { Till } from '../till';
import { entryKindOf, shownBalance } from './rules';

// What a person has earned, read from the ledger alone: no sum is kept anywhere else that could differ.

const amount = sql<number>`-sum(${ledgerEntries.amount})`.mapWith(Number);

/** What a person has of each currency in which they ever earned something. */
export async function readBalances(
  { db, minimums }: Pick<Till, 'db' | 'minimums'>,
  userId: string,
): Promise<WalletBalance[]> {
  const [pending, payable, frozen] = [tutorPending(userId), tutorPayable(userId), tutorFrozen(userId)];
  const [balances, next, paid] = await Promise.all([
    db
      .select({ account: ledgerEntries.account, currency: ledgerEntries.currency, amount })
      .from(ledgerEntries)
      .where(inArray(ledgerEntries.account, [pending, payable, frozen]))
      .groupBy(ledgerEntries.account, ledgerEntries.currency)
      .orderBy(asc(ledgerEntries.currency)),
    db
      .select({ currency: payments.currency, at: min(payments.earningsDueAt) })
      .from(payments)
      .where(and(eq(payments.payeeId, userId), isNull(payments.releasedAt), isNotRefunded))
      .groupBy(payments.currency),
    db
      .select({
        currency: payouts.currency,
        inPayout: sumOf(isUnderWay),
        paidOut: sumOf(eq(payouts.status, 'completed')),
      })
      .from(payouts)
      .where(eq(payouts.payeeId, userId))
      .groupBy(payouts.currency),
  ]);
  const of = (account: string, currency: string) =>
    balances.find((row) => row.account === account && row.currency === currency)?.amount ?? 0;
  return [...new Set(balances.map(({ currency }) => currency))].map((currency) => {
    const { inPayout = 0, paidOut = 0 } = paid.find((row) => row.currency === currency) ?? {};
    return shownBalance(currency, {
      pending: of(pending, currency),
      payable: of(payable, currency),
      nextAt: next.find((row) => row.currency === currency)?.at ?? null,
      frozen: of(frozen, currency),
      ...{ inPayout, paidOut, minimum: payoutMinimum(currency, minimums) },
    });
  });
}

/** Of payouts whose money is neither at the bank nor payable again. */
const isUnderWay = sql`(${payouts.status} in ('pending', 'processing') or (${payouts.status} = 'failed' and ${payouts.returnedAt} is null))`;
const sumOf = (condition: SQL) => sql`coalesce(sum(${payouts.amount}) filter (where ${condition}), 0)`.mapWith(Number);

/** Of what was given back altogether nothing becomes payable. */
const isNotRefunded = ne(payments.status, 'refunded');

/** One page of what moved a person's earnings, the newest first, with what they had after each. */
export async function listEntries(
  db: Database,
  userId: string,
  { currency, from, to, limit, before }: Omit<EntriesQuery, 'cursor'> & { before?: string | undefined },
): Promise<{ items: WalletEntry[]; nextId: string | null }> {
  const { id, kind, postedAt, paymentId, payoutId, disputeId } = ledgerTransactions;
  // What becomes payable leaves one account for the other, and sums to nothing. The names of sums are no column's of payments.
  const moved = db.$with('moved').as(
    db
      .select({
        id,
        kind,
        postedAt,
        paymentId,
        payoutId,
        disputeId,
        currency: ledgerEntries.currency,
        amount: amount.as('moved_amount'),
      })
      .from(ledgerEntries)
      .innerJoin(ledgerTransactions, eq(ledgerEntries.transactionId, id))
      .where(inArray(ledgerEntries.account, [tutorPending(userId), tutorPayable(userId)]))
      .groupBy(id, ledgerEntries.currency)
      .having(ne(amount, 0)),
  );
  const balanced = db.$with('balanced').as(
    db
      .select({
        ...{ id: moved.id, kind: moved.kind, postedAt: moved.postedAt, paymentId: moved.paymentId },
        ...{ payoutId: moved.payoutId, disputeId: moved.disputeId },
        ...{ currency: moved.currency, amount: moved.amount },
        balance: sql<number>`sum(${moved.amount}) over (partition by ${moved.currency} order by ${moved.id})`
          .mapWith(Number)
          .as('balance_after'),
      })
      .from(moved),
  );
  // What a dispute moved is shown with the payment that it is about.
  const ofPayment = sql<string | null>`coalesce(${balanced.paymentId}, ${disputes.paymentId})`;
  const rows = await db
    .with(moved, balanced)
    .select({
      ...{ id: balanced.id, kind: balanced.kind, postedAt: balanced.postedAt, paymentId: ofPayment },
      ...{
        payoutId: balanced.payoutId,
        disputeId: balanced.disputeId,
        currency: balanced.currency,
        amount: balanced.amount,
        balance: balanced.balance,
      },
      ...{ subjectKind: payments.subjectKind, subjectId: payments.subjectId },
    })
    .from(balanced)
    .leftJoin(disputes, eq(disputes.id, balanced.disputeId))
    .leftJoin(payments, eq(payments.id, ofPayment))
    .where(
      and(
        before === undefined ? undefined : lt(balanced.id, before),
        currency === undefined ? undefined : eq(balanced.currency, currency),
        from === undefined ? undefined : gte(balanced.postedAt, new Date(from)),
        to === undefined ? undefined : lt(balanced.postedAt, new Date(to)),
      ),
    )
    .orderBy(desc(balanced.id))
    .limit(limit + 1);
  const items = rows.slice(0, limit).map((row) => ({
    id: row.id,
    at: row.postedAt.toISOString(),
    kind: entryKindOf(row.kind),
    currency: row.currency,
    amount: row.amount,
    balanceAfter: row.balance,
    paymentId: row.paymentId,
    bookingId:
      row.subjectKind && row.subjectId && bookingIdOf({ subjectKind: row.subjectKind, subjectId: row.subjectId }),
    payoutId: row.payoutId,
    disputeId: row.disputeId,
  }));
  const last = rows.length > limit ? items.at(-1) : undefined;
  return { items, nextId: last?.id ?? null };
}

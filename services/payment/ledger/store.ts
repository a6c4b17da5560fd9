import { and, eq, inArray, notInArray, sql } from 'drizzle-orm';
import type { Transaction } from '../../../db/client';
import { ledgerEntries, ledgerTransactions } from '../../../db/schema/payment';
import { uuidv7 } from '../../../platform/ids';
import type { Movement } from '../stripe/answers';
import { type Entry, PLATFORM_REVENUE, type Shares, stripeFeeEntries, tutorPayable, tutorPending } from './rules';

type Kind = (typeof ledgerTransactions.$inferSelect)['kind'];

/** A movement of money that is to be in the ledger once. */
export interface Posting {
  paymentId: string;
  kind: Kind;
  /** What makes this posting happen once: an id at Stripe, or here. */
  reference: string;
  currency: string;
  entries: Entry[];
}

/**
 * Posts movements of money, each once: a second posting with the same payment, kind and reference is left out. A movement
 * of nothing is none. @returns how many were posted now
 */
export async function post(tx: Transaction, ...postings: Posting[]): Promise<number> {
  const moving = postings.filter(({ entries }) => entries.length > 0).map((posting) => ({ ...posting, id: uuidv7() }));
  if (moving.length === 0) return 0;
  const posted = await tx
    .insert(ledgerTransactions)
    .values(moving.map(({ entries: _, ...transaction }) => transaction))
    .onConflictDoNothing()
    .returning({ id: ledgerTransactions.id });
  if (posted.length === 0) return 0;
  const isNew = new Set(posted.map(({ id }) => id));
  const entries = moving.flatMap(({ id: transactionId, currency, entries }) =>
    isNew.has(transactionId) ? entries.map((entry) => ({ transactionId, currency, ...entry })) : [],
  );
  await tx.insert(ledgerEntries).values(entries);
  return posted.length;
}

/** Stripe's own fee, once its line in Stripe's books exists; empty before that. */
export function stripeFeePostings(paymentId: string, movement: Movement | null): Posting[] {
  if (!movement) return [];
  const { id: reference, currency, fee } = movement;
  return [{ paymentId, kind: 'stripe_fee', reference, currency, entries: stripeFeeEntries(fee) }];
}

/** The entries of one posting; empty when it was not made. */
export async function entriesOf(
  tx: Transaction,
  { paymentId, kind, reference }: Pick<Posting, 'paymentId' | 'kind' | 'reference'>,
): Promise<Entry[]> {
  return tx
    .select({ account: ledgerEntries.account, amount: ledgerEntries.amount })
    .from(ledgerEntries)
    .innerJoin(ledgerTransactions, eq(ledgerEntries.transactionId, ledgerTransactions.id))
    .where(
      and(
        eq(ledgerTransactions.paymentId, paymentId),
        eq(ledgerTransactions.kind, kind),
        eq(ledgerTransactions.reference, reference),
      ),
    );
}

/** What is left of a payment with its tutor and the platform. Money that Stripe took twice for it is not part of it. */
export async function sharesOf(tx: Transaction, paymentId: string, tutorId: string): Promise<Shares> {
  const accounts = { pending: tutorPending(tutorId), payable: tutorPayable(tutorId), revenue: PLATFORM_REVENUE };
  const rows = await tx
    .select({ account: ledgerEntries.account, left: sql<string>`-sum(${ledgerEntries.amount})` })
    .from(ledgerEntries)
    .innerJoin(ledgerTransactions, eq(ledgerEntries.transactionId, ledgerTransactions.id))
    .where(
      and(
        eq(ledgerTransactions.paymentId, paymentId),
        notInArray(ledgerTransactions.kind, ['stray_capture', 'stray_refund']),
        inArray(ledgerEntries.account, Object.values(accounts)),
      ),
    )
    .groupBy(ledgerEntries.account);
  const left = new Map(rows.map((row) => [row.account, Number(row.left)]));
  return {
    pending: left.get(accounts.pending) ?? 0,
    payable: left.get(accounts.payable) ?? 0,
    revenue: left.get(accounts.revenue) ?? 0,
  };
}

import { and, eq, inArray, notInArray, or, type SQL, sql } from 'drizzle-orm';
import { type Transaction, theOnly } from '../../../db/client';
import { disputes, ledgerEntries, ledgerTransactions } from '../../../db/schema/payment';
import type { MovementKind } from '../../../kernel/ledger';
import { participants } from '../../../platform/event-schema';
import { uuidv7 } from '../../../platform/ids';
import { appendEvents } from '../../../platform/outbox';
import { paymentEvents } from '../events';
import type { Movement as Line } from '../stripe/answers';
import {
  accountOf,
  DISPUTE_LOSSES,
  DISPUTED,
  type Entry,
  PLATFORM_REVENUE,
  payerOwed,
  type Shares,
  STRIPE_BALANCE,
  stripeFeeEntries,
  tutorPayable,
  tutorPending,
} from './rules';

/** A movement of money that is to be in the ledger once. */
interface Posting {
  kind: MovementKind;
  /** What makes this posting happen once: an id at Stripe, or here. */
  reference: string;
  currency: string;
  entries: Entry[];
}

/** A movement of a payment's money. */
export interface PaymentPosting extends Posting {
  paymentId: string;
}

/** A movement of a payout's money. */
interface PayoutPosting extends Posting {
  payoutId: string;
}

/** A movement of a dispute's money. */
interface DisputePosting extends Posting {
  disputeId: string;
}

/** A payee's debt that an operator has settled. */
interface DebtPosting extends Posting {
  debtId: string;
}

/** Whose money moves: of a payment and its disputes payer and payee, of a payout or a debt the payee. */
interface Concerned {
  payerId?: string;
  payeeId: string;
}

/**
 * Posts movements of money, each once, and tells of them: a second posting with the same owner, kind and reference is left out. A movement
 * of nothing is none. @returns how many were posted now
 */
export async function post(
  tx: Transaction,
  { payerId, payeeId }: Concerned,
  ...postings: (PaymentPosting | PayoutPosting | DisputePosting | DebtPosting)[]
): Promise<number> {
  const moving = postings.filter(({ entries }) => entries.length > 0).map((posting) => ({ ...posting, id: uuidv7() }));
  if (moving.length === 0) return 0;
  const posted = await tx
    .insert(ledgerTransactions)
    .values(moving.map(({ entries: _, ...transaction }) => transaction))
    .onConflictDoNothing()
    .returning();
  if (posted.length === 0) return 0;
  const entriesOfNew = new Map(moving.map(({ id, entries }) => [id, entries]));
  const movements = posted.map((transaction) => ({ transaction, entries: entriesOfNew.get(transaction.id) ?? [] }));
  await tx
    .insert(ledgerEntries)
    .values(
      movements.flatMap(({ transaction: { id: transactionId, currency }, entries }) =>
        entries.map((entry) => ({ transactionId, currency, ...entry })),
      ),
    );
  const whom = payerId === undefined ? [payeeId] : participants(payerId, payeeId);
  await tellPosted(tx, movements, whom);
  return posted.length;
}

/** A movement of money as it is stored. */
export interface Movement {
  transaction: typeof ledgerTransactions.$inferSelect;
  entries: readonly Entry[];
}

/** Tells of movements of money that concern these users. */
export async function tellPosted(
  tx: Transaction,
  movements: readonly Movement[],
  participantIds: string[],
): Promise<void> {
  await appendEvents(
    tx,
    paymentEvents,
    movements.map(({ transaction, entries }) => {
      const { id: transactionId, paymentId, payoutId, disputeId, debtId, kind, currency, postedAt } = transaction;
      const told = entries.map(({ account, amount }) => ({ ...accountOf(account), amount }));
      return {
        streamId: transactionId,
        type: 'LedgerTransactionPosted' as const,
        data: {
          ...{ transactionId, paymentId, payoutId, disputeId, debtId, kind, currency },
          ...{ postedAt: postedAt.toISOString(), entries: told, participantIds },
        },
      };
    }),
  );
}

/** Stripe's own fee, once its line in Stripe's books exists; empty before that. */
export function stripeFeePostings(paymentId: string, movement: Line | null): PaymentPosting[] {
  if (!movement) return [];
  const { id: reference, currency, fee } = movement;
  return [{ paymentId, kind: 'stripe_fee', reference, currency, entries: stripeFeeEntries(fee) }];
}

/** The entries of one posting; empty when it was not made. */
export async function entriesOf(
  tx: Transaction,
  { paymentId, kind, reference }: Pick<PaymentPosting, 'paymentId' | 'kind' | 'reference'>,
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

/** Where the money of one payment is now. */
export interface Standing extends Shares {
  /** Owed to the payer. */
  owed: number;
  /** Gone from Stripe to the payer, less what came back. */
  sent: number;
}

/**
 * Where the money of a payment is; what its disputes have moved of it is part of that. What Stripe took twice for it, and Stripe's own fees, are
 * not.
 */
export async function standingOf(tx: Transaction, paymentId: string, tutorId: string): Promise<Standing> {
  const { account } = ledgerEntries;
  const { kind } = ledgerTransactions;
  const accounts = {
    pending: tutorPending(tutorId),
    payable: tutorPayable(tutorId),
    revenue: PLATFORM_REVENUE,
    owed: payerOwed(paymentId),
  };
  const isSent = and(eq(account, STRIPE_BALANCE), inArray(kind, ['refund', 'refund_reversal']));
  const rows = await tx
    .select({ account, left: sql<string>`-sum(${ledgerEntries.amount})` })
    .from(ledgerEntries)
    .innerJoin(ledgerTransactions, eq(ledgerEntries.transactionId, ledgerTransactions.id))
    .where(
      and(
        isOf(paymentId),
        notInArray(kind, ['stray_capture', 'stray_refund']),
        or(inArray(account, Object.values(accounts)), isSent),
      ),
    )
    .groupBy(account);
  const left = new Map(rows.map((row) => [row.account, Number(row.left)]));
  return {
    pending: left.get(accounts.pending) ?? 0,
    payable: left.get(accounts.payable) ?? 0,
    revenue: left.get(accounts.revenue) ?? 0,
    owed: left.get(accounts.owed) ?? 0,
    sent: left.get(STRIPE_BALANCE) ?? 0,
  };
}

/** Of a payment itself, or of a dispute about it. */
function isOf(paymentId: string): SQL | undefined {
  return or(
    eq(ledgerTransactions.paymentId, paymentId),
    sql`${ledgerTransactions.disputeId} in ${disputesAbout(paymentId)}`,
  );
}

const disputesAbout = (paymentId: string) =>
  sql`(select ${disputes.id} from ${disputes} where ${disputes.paymentId} = ${paymentId})`;

/**
 * What banks have of a payment by its disputes, in minor units: `disputed` as long as they have not decided, and what its payer has of it for
 * good, which the platform lost no more of than was left.
 */
export async function disputesOf(
  tx: Transaction,
  paymentId: string,
): Promise<{ disputed: number; chargedBack: number }> {
  const { account, amount } = ledgerEntries;
  const { kind } = ledgerTransactions;
  const sumOf = (condition: SQL | undefined) =>
    sql`coalesce(sum(${amount}) filter (where ${condition}), 0)`.mapWith(Number);
  const rows = await tx
    .select({
      disputed: sumOf(eq(account, DISPUTED)),
      lost: sumOf(and(eq(account, DISPUTED), notInArray(kind, [...STRIPES_LINES]))),
      losses: sumOf(eq(account, DISPUTE_LOSSES)),
    })
    .from(ledgerEntries)
    .innerJoin(ledgerTransactions, eq(ledgerEntries.transactionId, ledgerTransactions.id))
    .where(sql`${ledgerTransactions.disputeId} in ${disputesAbout(paymentId)}`);
  const { disputed, lost, losses } = theOnly(rows);
  return { disputed: Math.max(0, disputed), chargedBack: Math.max(0, 0 - lost - losses) };
}

/** What Stripe's own books say of disputes. What else is posted of them follows from that. */
const STRIPES_LINES = ['dispute_withdrawn', 'dispute_reinstated'] as const;

/** What a dispute has moved so far, by account and in minor units as debits: by its lines in Stripe's books, or by what follows from them. */
export async function movedByDispute(
  tx: Transaction,
  disputeId: string,
  by: 'stripe' | 'claim',
): Promise<(account: string) => number> {
  const { account } = ledgerEntries;
  const rows = await tx
    .select({ account, amount: sql`sum(${ledgerEntries.amount})`.mapWith(Number) })
    .from(ledgerEntries)
    .innerJoin(ledgerTransactions, eq(ledgerEntries.transactionId, ledgerTransactions.id))
    .where(
      and(
        eq(ledgerTransactions.disputeId, disputeId),
        (by === 'stripe' ? inArray : notInArray)(ledgerTransactions.kind, [...STRIPES_LINES]),
      ),
    )
    .groupBy(account);
  const moved = new Map(rows.map((row) => [row.account, row.amount]));
  return (name) => moved.get(name) ?? 0;
}

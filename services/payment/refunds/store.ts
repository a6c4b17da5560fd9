import { and, desc, eq, isNotNull, isNull, ne, or, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../../db/client';
import { refunds } from '../../../db/schema/payment';
import { ProblemError } from '../../../kernel/errors';
import type { Money } from '../../../kernel/money';
import { announce } from '../../../platform/changes';
import {
  type Claim,
  type ClientRequest,
  claimKey,
  type KeyedRequest,
  once,
  storeRefusal,
} from '../../../platform/idempotency';
import { uuidv7 } from '../../../platform/ids';
import { appendEvent } from '../../../platform/outbox';
import {
  mayRefund,
  maySee,
  refundAmount,
  refundable,
  refundStateOf,
  refundStatusAfter,
  statusOfCaptured,
  toSettle,
} from '../charges/rules';
import { change, factsOf, feeOf, lockPayment, type PaymentRow, stripeFee } from '../charges/store';
import type { CreateRefund, RefundState, RequestRefund } from '../contract';
import { refundEntries, reversalEntries, strayEntries } from '../ledger/rules';
import { entriesOf, type Posting, post, sharesOf } from '../ledger/store';
import { theOnly } from '../rows.store';
import type { Intent, StripeRefund } from '../stripe/answers';
import { type Attempt, closeAttempt, openAttempt } from '../stripe/store';

export type RefundRow = typeof refunds.$inferSelect;

export interface RefundAndPayment {
  refund: RefundRow;
  payment: PaymentRow;
}

export interface BegunRefund extends RefundAndPayment {
  /** What to send to Stripe; null when it is there already, or over. */
  attempt: Attempt | null;
}

/** A claimed request for a refund; a refusal of it is stored already. */
export type RefundClaim = Claim | { kind: 'refused'; problem: ProblemError };

const LEASE_SECONDS = 20;
/** What a refund says that nobody gave a reason for. */
const SETTLED = 'Settled to zero: the booking or payment came to nothing';
const AT_STRIPE = "Made in Stripe's own dashboard";

export type RefundStore = ReturnType<typeof createRefundStore>;

/** Refunds in the database. Each function is one transaction that locks the payment first, then the refund. */
export function createRefundStore(db: Database) {
  return {
    /** @throws ProblemError not_found */
    async get(id: string): Promise<RefundRow> {
      const [row] = await db.select().from(refunds).where(eq(refunds.id, id));
      if (!row) throw new ProblemError('not_found');
      return row;
    },

    /** Refunds of a payment at Stripe that belong to other refunds than `id`, or to its earlier tries. */
    async takenIds(paymentId: string, id: string): Promise<ReadonlySet<string>> {
      const rows = await db.select().from(refunds).where(eq(refunds.paymentId, paymentId));
      const taken = rows.flatMap((row) => [...row.formerStripeIds, ...(row.id === id ? [] : [row.stripeRefundId])]);
      return new Set(taken.filter((stripeId) => stripeId !== null));
    },

    /** The refunds of a payment in whose state at Stripe nobody has seen to yet: each needs a saga. */
    async unseen(paymentId: string): Promise<RefundRow[]> {
      return db.select().from(refunds).where(unseenOf(paymentId));
    },

    /** As `unseen`, for what is left of a settlement: from now on it is not its caller's to see to, however it ends. */
    async handOver(paymentId: string): Promise<RefundRow[]> {
      const settlements = and(unseenOf(paymentId), eq(refunds.origin, 'settlement'));
      return db.update(refunds).set({ closedAs: null }).where(settlements).returning();
    },

    /** The newest first. */
    async listOf(paymentId: string): Promise<RefundRow[]> {
      return db.select().from(refunds).where(eq(refunds.paymentId, paymentId)).orderBy(desc(refunds.id));
    },

    /** Records a refund for a saga and reserves its amount. @throws ProblemError not_found, invalid_state, refund_exceeds_payment */
    async create(request: KeyedRequest, paymentId: string, wanted: CreateRefund): Promise<RefundState> {
      const reply = await once(db, request, async (tx) => {
        const payment = await lockPayment(tx, paymentId);
        const amount = allowed(payment, wanted.amount);
        const { reason, requestedBy } = wanted;
        const made = await insert(tx, payment, { id: uuidv7(), origin: 'request', amount, reason, requestedBy });
        return { status: 201, body: refundStateOf(made.refund, made.payment) };
      });
      return reply.body;
    },

    /**
     * Records a person's refund together with their idempotency key, before its saga is started. That its amount is refused is
     * stored under the key too, so that the same request gets the same answer.
     * @throws ProblemError not_found, forbidden, validation_failed, and those of `claimKey`
     */
    async request(
      request: ClientRequest,
      user: { id: string; role: string },
      paymentId: string,
      wanted: RequestRefund,
    ): Promise<RefundClaim> {
      return db.transaction(async (tx) => {
        const payment = await lockPayment(tx, paymentId);
        if (!maySee(payment, user)) throw new ProblemError('not_found');
        if (!mayRefund(payment, user)) throw new ProblemError('forbidden', 'Only the payee or an admin can refund');
        const claim = await claimKey(tx, request, uuidv7(), LEASE_SECONDS);
        if (claim.kind === 'replay' || !claim.first) return claim;
        try {
          const amount = allowed(payment, wanted.amount ?? null);
          const { reason } = wanted;
          await insert(tx, payment, { id: claim.resourceId, origin: 'request', amount, reason, requestedBy: user.id });
          return claim;
        } catch (error) {
          if (!(error instanceof ProblemError) || error.status !== 409) throw error;
          await storeRefusal(tx, request, error);
          return { kind: 'refused', problem: error };
        }
      });
    },

    /** Begins handing a refund to Stripe. @throws ProblemError not_found */
    async beginSubmit(stepKey: string, id: string): Promise<BegunRefund> {
      return db.transaction(async (tx) => {
        const { refund, payment } = await lockBoth(tx, id);
        return begin(tx, stepKey, { refund, payment });
      });
    },

    /**
     * Begins try `number` of a failed refund: its amount is reserved again. Begun already, it goes on.
     * @throws ProblemError not_found; refund_exceeds_payment when other refunds have used the amount
     */
    async beginRetry(stepKey: string, id: string, number: number): Promise<BegunRefund> {
      return db.transaction(async (tx) => {
        const { refund, payment } = await lockBoth(tx, id);
        if (refund.status !== 'failed' || refund.tries !== number - 1) return begin(tx, stepKey, { refund, payment });
        if (refund.amount > refundable(payment)) throw new ProblemError('refund_exceeds_payment');
        const { stripeRefundId, formerStripeIds } = refund;
        const reopened = await move(tx, payment, refund, {
          status: 'pending',
          tries: number,
          stripeRefundId: null,
          formerStripeIds: stripeRefundId === null ? formerStripeIds : [...formerStripeIds, stripeRefundId],
          failureCode: null,
          closedAs: null,
        });
        return begin(tx, stepKey, reopened);
      });
    },

    /** Notes that a refund's state `as` has been seen to, unless it is another by now. @throws ProblemError not_found */
    async close(id: string, as: 'succeeded' | 'failed'): Promise<RefundAndPayment> {
      return db.transaction(async (tx) => {
        const { refund, payment } = await lockBoth(tx, id);
        if (refund.status !== as) return { refund, payment };
        const closed = await tx.update(refunds).set({ closedAs: as }).where(eq(refunds.id, id)).returning();
        return { refund: theOnly(closed), payment };
      });
    },

    /**
     * Makes the refund that brings a payment to zero, if anything is left of it that no failed one owes. Who settles sees to its
     * success, so that no saga is woken for it. @returns all such refunds that Stripe has not got yet
     */
    async beginSettlement(paymentId: string): Promise<RefundRow[]> {
      return db.transaction(async (tx) => {
        const payment = await lockPayment(tx, paymentId);
        const settlements = and(eq(refunds.paymentId, paymentId), eq(refunds.origin, 'settlement'));
        const made = await tx.select().from(refunds).where(settlements);
        const amount = toSettle(
          payment,
          made.filter(({ status }) => status === 'failed'),
        );
        const open = made.filter(({ status, stripeRefundId }) => status === 'pending' && stripeRefundId === null);
        if (amount === 0) return open;
        const details = { id: uuidv7(), origin: 'settlement', reason: SETTLED, requestedBy: null } as const;
        const { refund } = await insert(tx, payment, { ...details, amount, closedAs: 'succeeded' });
        return [...open, refund];
      });
    },

    /** Records what Stripe says of one refund that was just made. */
    async recordMade(id: string, attempt: Attempt, made: StripeRefund): Promise<RefundAndPayment> {
      return db.transaction(async (tx) => {
        const { refund, payment } = await lockBoth(tx, id);
        await closeAttempt(tx, attempt, 'done');
        return apply(tx, payment, refund, made);
      });
    },

    /** Stripe refused to make the refund: it has failed, and its amount can be refunded again. */
    async recordRefusal(id: string, attempt: Attempt, code: string): Promise<RefundAndPayment> {
      return db.transaction(async (tx) => {
        const both = await lockBoth(tx, id);
        await closeAttempt(tx, attempt, 'refused', code);
        if (both.refund.status !== 'pending' || both.refund.stripeRefundId) return both;
        return move(tx, both.payment, both.refund, { status: 'failed', failureCode: code });
      });
    },

    /** Posts the money of an intent that was not the payment's own going back. */
    async recordStray(paymentId: string, { currency }: Intent, made: StripeRefund): Promise<void> {
      await db.transaction(async (tx) => {
        await lockPayment(tx, paymentId);
        const entries = strayEntries(-made.amount);
        const money: Posting = { paymentId, kind: 'stray_refund', reference: made.id, currency, entries };
        await post(tx, money, ...stripeFee(paymentId, made.movement));
      });
    },

    /** Records what Stripe says of all refunds of a payment, those made in its dashboard too. */
    async recordAll(paymentId: string, found: StripeRefund[]): Promise<PaymentRow> {
      return db.transaction(async (tx) => {
        let payment = await lockPayment(tx, paymentId);
        for (const made of [...found].reverse()) {
          const refund = (await ownOf(tx, payment, made)) ?? (await adopt(tx, payment, made));
          if (!refund) continue;
          payment = (await apply(tx, await lockPayment(tx, paymentId), refund, made)).payment;
        }
        return payment;
      });
    },
  };
}

/** @throws ProblemError invalid_state, refund_exceeds_payment, validation_failed */
function allowed(payment: PaymentRow, asked: Money | null): number {
  const amount = refundAmount(payment, asked);
  if (typeof amount === 'number') return amount;
  if (amount === 'validation_failed') {
    const message = `must be ${payment.currency}, the currency of the payment`;
    throw new ProblemError(amount, undefined, { errors: [{ path: 'amount.currency', message }] });
  }
  throw new ProblemError(amount, amount === 'invalid_state' ? 'No money has been taken yet' : undefined);
}

async function lockBoth(tx: Transaction, id: string): Promise<RefundAndPayment> {
  const [known] = await tx.select({ paymentId: refunds.paymentId }).from(refunds).where(eq(refunds.id, id));
  if (!known) throw new ProblemError('not_found');
  const payment = await lockPayment(tx, known.paymentId);
  const locked = await tx.select().from(refunds).where(eq(refunds.id, id)).for('update');
  return { refund: theOnly(locked), payment };
}

async function begin(tx: Transaction, stepKey: string, { refund, payment }: RefundAndPayment): Promise<BegunRefund> {
  if (refund.status !== 'pending' || refund.stripeRefundId) return { refund, payment, attempt: null };
  return { refund, payment, attempt: await openAttempt(tx, { stepKey, kind: 'refund', subject: refund.id }) };
}

/** One that Stripe has not got yet is still its first saga's. */
function unseenOf(paymentId: string) {
  return and(
    eq(refunds.paymentId, paymentId),
    or(isNull(refunds.closedAs), ne(refunds.closedAs, refunds.status)),
    or(isNotNull(refunds.stripeRefundId), eq(refunds.status, 'failed')),
  );
}

type NewRefund = Pick<RefundRow, 'id' | 'origin' | 'amount' | 'reason' | 'requestedBy'> & { closedAs?: 'succeeded' };

async function insert(tx: Transaction, payment: PaymentRow, wanted: NewRefund): Promise<RefundAndPayment> {
  const { id: paymentId, currency } = payment;
  const stored = await tx
    .insert(refunds)
    .values({ ...wanted, paymentId, currency, status: 'pending' })
    .returning();
  const refund = theOnly(stored);
  const changed = await change(tx, payment, { refundPending: payment.refundPending + refund.amount });
  await tell(tx, refund, changed);
  return { refund, payment: changed };
}

/** The row a refund of Stripe belongs to, by what it is there now or was in an earlier try. Each row takes one: a second one with its id was made by a request thought lost. */
async function ownOf(tx: Transaction, payment: PaymentRow, made: StripeRefund): Promise<RefundRow | undefined> {
  const rows = await tx.select().from(refunds).where(eq(refunds.paymentId, payment.id)).for('update');
  return (
    rows.find((row) => row.stripeRefundId === made.id || row.formerStripeIds.includes(made.id)) ??
    rows.find((row) => row.id === made.refundId && row.stripeRefundId === null && row.status === 'pending')
  );
}

/** Takes up a refund that was not made here. Where no money moved (a released authorisation) there is nothing to take up. */
async function adopt(tx: Transaction, payment: PaymentRow, made: StripeRefund): Promise<RefundRow | undefined> {
  if (!made.movement) return undefined;
  const details = { id: uuidv7(), origin: 'stripe' as const, reason: AT_STRIPE, requestedBy: null };
  return (await insert(tx, payment, { ...details, amount: made.amount })).refund;
}

async function apply(
  tx: Transaction,
  payment: PaymentRow,
  refund: RefundRow,
  made: StripeRefund,
): Promise<RefundAndPayment> {
  // Of an earlier try, or of one too many, only the money that moved is news.
  const isCurrent = made.id === (refund.stripeRefundId ?? made.id) && !refund.formerStripeIds.includes(made.id);
  const status = isCurrent ? refundStatusAfter(refund.status, made.status) : refund.status;
  const isNew = isCurrent && (refund.stripeRefundId === null || status !== refund.status);
  const failureCode = status === 'failed' ? (refund.failureCode ?? made.failureCode) : null;
  const now = isNew
    ? await move(tx, payment, refund, { stripeRefundId: made.id, status, failureCode })
    : { refund, payment };
  await postRefund(tx, now, made);
  return now;
}

type RefundPatch = Partial<Omit<RefundRow, 'id' | 'paymentId' | 'amount' | 'currency' | 'createdAt' | 'updatedAt'>>;

const REFUND_EVENT = { pending: 'RefundRequested', succeeded: 'RefundProcessed', failed: 'RefundFailed' } as const;

/** Changes a locked refund and, with it, what its payment counts as refunded and as under way. */
async function move(
  tx: Transaction,
  payment: PaymentRow,
  before: RefundRow,
  patch: RefundPatch,
): Promise<RefundAndPayment> {
  const updated = await tx
    .update(refunds)
    .set({ ...patch, updatedAt: sql`now()` })
    .where(eq(refunds.id, before.id))
    .returning();
  const refund = theOnly(updated);
  const refunded = payment.refunded + counted(refund, 'succeeded') - counted(before, 'succeeded');
  const refundPending = payment.refundPending + counted(refund, 'pending') - counted(before, 'pending');
  const status = statusOfCaptured(payment.captured, refunded);
  const changed = await change(tx, payment, { refunded, refundPending, status });
  if (refund.status !== before.status) await tell(tx, refund, changed);
  await announce(tx, refund.id);
  return { refund, payment: changed };
}

function counted(refund: RefundRow, status: RefundRow['status']): number {
  return refund.status === status ? refund.amount : 0;
}

/**
 * Posts the money leaving, and coming back after a failure, when Stripe's own books say so: then the ledger's balance is
 * Stripe's at any moment, also while a refund is pending there.
 */
async function postRefund(tx: Transaction, { refund, payment }: RefundAndPayment, made: StripeRefund): Promise<void> {
  const { id: paymentId, payeeId: tutorId, captured, currency } = payment;
  const { movement, reversal } = made;
  const posting = { paymentId, kind: 'refund' as const, reference: made.id, currency };
  if (movement && (await entriesOf(tx, posting)).length === 0) {
    const shares = await sharesOf(tx, paymentId, tutorId);
    const entries = refundEntries(refund.amount, { captured, fee: feeOf(payment), tutorId }, shares);
    await post(tx, { ...posting, entries });
  }
  await post(tx, ...stripeFee(paymentId, movement));
  if (!reversal) return;
  const entries = reversalEntries(await entriesOf(tx, posting), tutorId, payment.releasedAt !== null);
  const money: Posting = { paymentId, kind: 'refund_reversal', reference: reversal.id, currency, entries };
  await post(tx, money, ...stripeFee(paymentId, reversal));
}

async function tell(tx: Transaction, refund: RefundRow, payment: PaymentRow): Promise<void> {
  const { currency } = refund;
  const { status: paymentStatus, amount: paymentAmount, ...facts } = factsOf(payment);
  await appendEvent(tx, {
    streamId: refund.id,
    type: REFUND_EVENT[refund.status],
    data: {
      ...facts,
      refundId: refund.id,
      status: refund.status,
      amount: { amount: refund.amount, currency },
      paymentStatus,
      paymentAmount,
      ...(refund.failureCode && { failureCode: refund.failureCode }),
    },
  });
}

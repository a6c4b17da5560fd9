import { and, eq, getTableColumns, isNotNull, isNull, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../../db/client';
import { bookingGuards, payments, stripeAccounts } from '../../../db/schema/payment';
import { ProblemError } from '../../../kernel/errors';
import { scaleHalfUp } from '../../../kernel/money';
import { announce } from '../../../platform/changes';
import { type Claim, claimKey, type KeyedRequest, once } from '../../../platform/idempotency';
import { uuidv7 } from '../../../platform/ids';
import { appendEvent } from '../../../platform/outbox';
import type { ChargeBooking, CreatePayment, EarningsReleased } from '../contract';
import { captureEntries, releaseEntries, strayEntries, stripeFeeEntries, tutorPayable } from '../ledger/rules';
import { entriesOf, type Posting, post, sharesOf } from '../ledger/store';
import { theOnly } from '../rows.store';
import type { Intent } from '../stripe/answers';
import { type Attempt, closeAttempt, doubtfulAttempts, openAttempt } from '../stripe/store';
import { EVENT_OF, nextStatus, platformFee } from './rules';

export type PaymentRow = typeof payments.$inferSelect;

/** A money step that may begin: `attempt` is what to send, null when there is nothing (more) to send. */
export interface Begun {
  payment: PaymentRow;
  attempt: Attempt | null;
}

/** A payment by its intent. */
export interface KnownIntent {
  payment: PaymentRow;
  /** Its money and Stripe's fee are in the ledger: whatever the intent says from now on is nothing new. */
  isBooked: boolean;
}

/** What came of an attempt, noted together with the change it made. */
export interface Closing {
  attempt: Attempt;
  outcome: 'done' | 'refused' | 'nothing';
  code?: string;
}

/** A direct payment's claimed key is another's to take over after this long: longer than a client waits for its answer. */
const LEASE_SECONDS = 20;

export type PaymentStore = ReturnType<typeof createPaymentStore>;

/**
 * Payments in the database. Each function is one transaction that locks the payment's row; none is open while Stripe
 * is asked. `feePercent` is the platform's share of new payments.
 */
export function createPaymentStore(db: Database, feePercent: number) {
  /** @returns undefined when the booking has a payment already */
  const inserted = async (tx: Transaction, values: Omit<typeof payments.$inferInsert, 'fee' | 'status'>) => {
    const fee = platformFee(values.amount, feePercent);
    const [row] = await tx
      .insert(payments)
      .values({ ...values, fee, status: 'pending' })
      .onConflictDoNothing({ target: payments.bookingId })
      .returning();
    if (row) await tell(tx, EVENT_OF.pending, row);
    return row;
  };

  return {
    async find(id: string): Promise<PaymentRow | undefined> {
      const [row] = await db.select().from(payments).where(eq(payments.id, id));
      return row;
    },

    /** @throws ProblemError not_found */
    async get(id: string): Promise<PaymentRow> {
      const [row] = await db.select().from(payments).where(eq(payments.id, id));
      if (!row) throw new ProblemError('not_found');
      return row;
    },

    async findByIntent(intentId: string): Promise<KnownIntent | undefined> {
      const [row] = await db
        .select({ payment: getTableColumns(payments), isBooked })
        .from(payments)
        .where(eq(payments.stripeIntentId, intentId));
      return row;
    },

    /** Stores a direct payment together with its idempotency key, before its saga is started. @throws ProblemError of `claimKey`, validation_failed */
    async requestPayment(request: KeyedRequest, payerId: string, wanted: CreatePayment): Promise<Claim> {
      return db.transaction(async (tx) => {
        const id = uuidv7();
        const claim = await claimKey(tx, request, id, LEASE_SECONDS);
        if (claim.kind === 'replay' || !claim.first) return claim;
        await requirePayee(tx, wanted.payeeId, payerId);
        await inserted(tx, {
          id,
          payerId,
          payeeId: wanted.payeeId,
          capture: 'automatic',
          ...wanted.amount,
          paymentMethodId: wanted.paymentMethodId,
          description: wanted.description,
        });
        return claim;
      });
    },

    /**
     * Begins the money step of a booking, making its payment if there is none.
     * @throws ProblemError undone after a settlement; conflict when the booking's payment is another
     */
    async beginBookingCharge(key: string, bookingId: string, charge: ChargeBooking): Promise<Begun> {
      return db.transaction(async (tx) => {
        // Writes nothing new to a guard that is there, but locks it as one that it makes.
        const guards = await tx
          .insert(bookingGuards)
          .values({ bookingId })
          .onConflictDoUpdate({
            target: bookingGuards.bookingId,
            set: { settledAt: sql`${bookingGuards.settledAt}` },
          })
          .returning();
        if (theOnly(guards).settledAt) throw new ProblemError('undone');
        const { amount, ...rest } = charge;
        const made = await inserted(tx, { id: uuidv7(), bookingId, ...rest, ...amount });
        if (made) return begin(tx, key, made);
        const existing = theOnly(
          await tx.select().from(payments).where(eq(payments.bookingId, bookingId)).for('update'),
        );
        if (!isSame(existing, charge)) throw new ProblemError('conflict', 'The booking has another payment already');
        return begin(tx, key, existing);
      });
    },

    /** Begins the charge of a direct payment. @throws ProblemError not_found, undone */
    async beginCharge(key: string, id: string): Promise<Begun> {
      return db.transaction(async (tx) => begin(tx, key, await lockPayment(tx, id)));
    },

    /** Begins a capture. @throws ProblemError not_found, undone; invalid_state before the money is authorised; payment_failed after it was given up */
    async beginCapture(key: string, id: string): Promise<Begun> {
      return db.transaction(async (tx) => {
        const payment = await lockPayment(tx, id);
        if (payment.settledAt) throw new ProblemError('undone');
        if (payment.captured > 0) return { payment, attempt: null };
        if (payment.status === 'voided' || payment.status === 'failed') throw new ProblemError('payment_failed');
        if (payment.status !== 'authorized') throw new ProblemError('invalid_state', 'The payment is not authorised');
        return { payment, attempt: await openAttempt(tx, { stepKey: key, kind: 'capture', subject: id }) };
      });
    },

    async beginCancel(stepKey: string, id: string): Promise<Attempt> {
      return db.transaction(async (tx) => {
        await lockPayment(tx, id);
        return openAttempt(tx, { stepKey, kind: 'cancel', subject: id });
      });
    },

    /** Begins what gives back an intent that is not the payment's own. */
    async beginStray(id: string, stepKey: string, kind: 'cancel' | 'refund', intentId: string): Promise<Attempt> {
      return db.transaction(async (tx) => {
        await lockPayment(tx, id);
        return openAttempt(tx, { stepKey, kind, subject: intentId });
      });
    },

    /** Posts the money of such an intent: nobody's, until it is sent back. */
    async recordStray(id: string, intent: Intent): Promise<void> {
      await db.transaction(async (tx) => {
        await lockPayment(tx, id);
        const entries = strayEntries(intent.received);
        const { id: reference, currency } = intent;
        const money: Posting = { paymentId: id, kind: 'stray_capture', reference, currency, entries };
        await post(tx, money, ...stripeFee(id, intent.movement));
      });
    },

    /**
     * Records what Stripe says of an intent: state, ledger, event. An intent that is not the payment's own changes nothing:
     * compare `stripeIntentId` of what comes back.
     */
    async recordIntent(id: string, intent: Intent, closing?: Closing): Promise<PaymentRow> {
      return db.transaction(async (tx) => {
        const row = await lockPayment(tx, id);
        if (closing) await closeAttempt(tx, closing.attempt, closing.outcome, closing.code);
        return applyIntent(tx, row, intent);
      });
    },

    /** Stripe refused to make an intent at all: the payment has failed. */
    async recordRefusal(id: string, attempt: Attempt, code: string): Promise<PaymentRow> {
      return db.transaction(async (tx) => {
        const row = await lockPayment(tx, id);
        await closeAttempt(tx, attempt, 'refused', code);
        if (row.status !== 'pending' || row.stripeIntentId) return row;
        return change(tx, row, { status: 'failed', declineCode: code });
      });
    },

    /** Closes an attempt that changed nothing here: it was refused, or had no effect at all. */
    async close({ attempt, outcome, code }: Closing): Promise<void> {
      await db.transaction((tx) => closeAttempt(tx, attempt, outcome, code));
    },

    /** Marks a booking as settled to zero, whether or not it has a payment. From then on its money steps are refused. */
    async settleBooking(bookingId: string): Promise<PaymentRow | null> {
      return db.transaction(async (tx) => {
        await tx
          .insert(bookingGuards)
          .values({ bookingId, settledAt: sql`now()` })
          .onConflictDoUpdate({
            target: bookingGuards.bookingId,
            set: { settledAt: sql`coalesce(${bookingGuards.settledAt}, now())` },
          });
        const [row] = await tx.select().from(payments).where(eq(payments.bookingId, bookingId)).for('update');
        return row ? markSettled(tx, row) : null;
      });
    },

    /** As `settleBooking`, for a direct payment; null when there is none. */
    async settlePayment(id: string): Promise<PaymentRow | null> {
      return db.transaction(async (tx) => {
        const [row] = await tx.select().from(payments).where(eq(payments.id, id)).for('update');
        return row ? markSettled(tx, row) : null;
      });
    },

    /** The attempts at making an intent of which nobody knows for certain that they left nothing. */
    doubtful: (id: string) => db.transaction((tx) => doubtfulAttempts(tx, id, 'create_intent')),

    /** No intent exists and none can be made any more: the payment is void. Does nothing when one turned up meanwhile. */
    async voidUnmade(id: string): Promise<PaymentRow> {
      return db.transaction(async (tx) => {
        const row = await lockPayment(tx, id);
        if (row.status !== 'pending' || row.stripeIntentId) return row;
        for (const attempt of await doubtfulAttempts(tx, id, 'create_intent'))
          await closeAttempt(tx, attempt, 'nothing');
        return change(tx, row, { status: 'voided' });
      });
    },

    /** Moves what is left of the tutor's pending earnings to payable, once. @throws ProblemError not_found, invalid_state */
    async releaseEarnings(request: KeyedRequest, id: string): Promise<EarningsReleased> {
      const reply = await once(db, request, async (tx) => {
        const row = await lockPayment(tx, id);
        if (row.captured === 0) throw new ProblemError('invalid_state', 'No money has been taken yet');
        const { currency, payeeId } = row;
        const posting = { paymentId: id, kind: 'release' as const, reference: id, currency };
        if (!row.releasedAt) {
          const { pending } = await sharesOf(tx, id, payeeId);
          await post(tx, { ...posting, entries: releaseEntries(pending, payeeId) });
          await tx.update(payments).set({ releasedAt: sql`now()` }).where(eq(payments.id, id));
          const data = { paymentId: id, bookingId: row.bookingId, payeeId, released: { amount: pending, currency } };
          await appendEvent(tx, { streamId: id, type: 'EarningsReleased', data });
        }
        const entries = await entriesOf(tx, posting);
        const credit = entries.find(({ account }) => account === tutorPayable(payeeId))?.amount ?? 0;
        return { status: 200, body: { paymentId: id, released: { amount: Math.abs(credit), currency } } };
      });
      return reply.body;
    },
  };
}

/** @throws ProblemError not_found */
export async function lockPayment(tx: Transaction, id: string): Promise<PaymentRow> {
  const [row] = await tx.select().from(payments).where(eq(payments.id, id)).for('update');
  if (!row) throw new ProblemError('not_found');
  return row;
}

type Patch = Partial<Omit<PaymentRow, 'id' | 'version' | 'createdAt' | 'updatedAt'>>;

/**
 * Changes a locked payment: a higher version, an event if its status is another, and a word to those who wait for it. For
 * a booking's payment nobody does: they wait for the booking.
 */
export async function change(tx: Transaction, row: PaymentRow, patch: Patch): Promise<PaymentRow> {
  const updated = await tx
    .update(payments)
    .set({ ...patch, version: row.version + 1, updatedAt: sql`now()` })
    .where(eq(payments.id, row.id))
    .returning();
  const changed = theOnly(updated);
  // From the capture on only refunds move it, even back to captured.
  const event = changed.status !== row.status && row.captured === 0 ? EVENT_OF[changed.status] : null;
  if (event) await tell(tx, event, changed);
  if (!row.bookingId) await announce(tx, row.id);
  return changed;
}

/** What every event of a payment tells. */
export function factsOf(row: PaymentRow): Record<string, unknown> {
  const { currency } = row;
  return {
    paymentId: row.id,
    bookingId: row.bookingId,
    payerId: row.payerId,
    payeeId: row.payeeId,
    status: row.status,
    paymentVersion: row.version,
    amount: { amount: row.amount, currency },
    captured: { amount: row.captured, currency },
    refunded: { amount: row.refunded, currency },
  };
}

async function tell(tx: Transaction, type: string, row: PaymentRow): Promise<void> {
  const decline = row.status === 'failed' ? { declineCode: row.declineCode } : {};
  await appendEvent(tx, { streamId: row.id, type, data: { ...factsOf(row), ...decline } });
}

async function begin(tx: Transaction, key: string, payment: PaymentRow): Promise<Begun> {
  if (payment.settledAt) throw new ProblemError('undone');
  if (payment.status !== 'pending' || payment.stripeIntentId) return { payment, attempt: null };
  const customerId = await customerOf(tx, payment.payerId);
  const effect = { stepKey: key, kind: 'create_intent' as const, subject: payment.id, customerId };
  return { payment, attempt: await openAttempt(tx, effect) };
}

async function customerOf(tx: Transaction, userId: string): Promise<string | null> {
  const [customer] = await tx
    .select({ id: stripeAccounts.stripeId })
    .from(stripeAccounts)
    .where(
      and(eq(stripeAccounts.userId, userId), eq(stripeAccounts.role, 'student'), isNull(stripeAccounts.removedAt)),
    );
  return customer?.id ?? null;
}

function isSame(row: PaymentRow, charge: ChargeBooking): boolean {
  return (
    row.payerId === charge.payerId &&
    row.payeeId === charge.payeeId &&
    row.amount === charge.amount.amount &&
    row.currency === charge.amount.currency &&
    row.paymentMethodId === charge.paymentMethodId &&
    row.capture === charge.capture
  );
}

async function markSettled(tx: Transaction, row: PaymentRow): Promise<PaymentRow> {
  if (row.settledAt) return row;
  return theOnly(await tx.update(payments).set({ settledAt: sql`now()` }).where(eq(payments.id, row.id)).returning());
}

async function applyIntent(tx: Transaction, row: PaymentRow, intent: Intent): Promise<PaymentRow> {
  if (row.stripeIntentId !== intent.id && (row.stripeIntentId !== null || row.status !== 'pending')) return row;
  const status = nextStatus(row, intent) ?? row.status;
  const patch: Patch = {
    stripeIntentId: intent.id,
    status,
    declineCode: status === 'pending' || status === 'failed' ? (row.declineCode ?? intent.declineCode) : null,
    captured: status === 'captured' && row.captured === 0 ? intent.received : row.captured,
    clientSecret: status === 'requires_action' ? intent.clientSecret : null,
    captureBefore: row.captureBefore ?? intent.captureBefore,
  };
  const changed = differs(row, patch) ? await change(tx, row, patch) : row;
  if (changed.captured > 0) await postCapture(tx, changed, intent);
  return changed;
}

function differs(row: PaymentRow, patch: Patch): boolean {
  const before = new Map<string, unknown>(Object.entries(row));
  return Object.entries(patch).some(([name, value]) => String(before.get(name)) !== String(value));
}

/** The platform's fee on what was captured, which is less than asked for only if somebody captured a part in Stripe's dashboard. */
export function feeOf(row: PaymentRow): number {
  return scaleHalfUp(row.captured, row.fee, row.amount);
}

async function postCapture(tx: Transaction, row: PaymentRow, intent: Intent): Promise<void> {
  const entries = captureEntries(row.captured, feeOf(row), row.payeeId);
  const { id: paymentId, currency } = row;
  const money: Posting = { paymentId, kind: 'capture', reference: intent.id, currency, entries };
  await post(tx, money, ...stripeFee(paymentId, intent.movement));
}

/** Stripe's own fee, once its line in Stripe's books exists. */
export function stripeFee(paymentId: string, movement: Intent['movement']): Posting[] {
  if (!movement) return [];
  const { id: reference, currency, fee } = movement;
  return [{ paymentId, kind: 'stripe_fee', reference, currency, entries: stripeFeeEntries(fee) }];
}

/** A payment whose intent has money and fee in the ledger. Refunds and strays have fees of their own, so with one of those nobody can tell. */
const isBooked = sql<boolean>`coalesce((
  select bool_or(t.kind = 'stripe_fee') and bool_and(t.kind in ('capture', 'stripe_fee', 'release'))
  from ledger_transactions t where t.payment_id = payments.id), false)`;

/** @throws ProblemError validation_failed unless the payee is somebody else who is known here */
async function requirePayee(tx: Transaction, payeeId: string, payerId: string): Promise<void> {
  const [payee] = await tx
    .select({ id: stripeAccounts.userId })
    .from(stripeAccounts)
    .where(
      and(eq(stripeAccounts.userId, payeeId), isNotNull(stripeAccounts.stripeId), isNull(stripeAccounts.removedAt)),
    );
  if (payee && payeeId !== payerId) return;
  const message = payeeId === payerId ? 'must be somebody else' : 'is nobody who can be paid';
  throw new ProblemError('validation_failed', undefined, { errors: [{ path: 'payeeId', message }] });
}

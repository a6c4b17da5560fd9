import { sql } from 'drizzle-orm';
import {
  bigserial,
  boolean,
  check,
  foreignKey,
  index,
  integer,
  pgTable,
  primaryKey,
  text,
  unique,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core';
import { MOVEMENT_KINDS } from '../../kernel/ledger';
import { SUBJECT_KINDS } from '../../kernel/payment-subject';
import { SETTLEMENTS } from '../../kernel/saga-type';
import {
  PAYOUT_ORIGINS,
  PAYOUT_REASONS,
  PAYOUT_STATUSES,
  REFUND_ENDS,
  REFUND_ORIGINS,
  REFUND_STATUSES,
} from '../../kernel/statuses';
import { debts } from './payment/debts';
import { disputeEvidence, disputes } from './payment/disputes';
import { payments } from './payment/payments';
import { creditNotes, receiptNumbers, receipts } from './payment/receipts';
import { instant, minorUnits } from './platform';

export { adminActs, events, idempotencyKeys } from './platform';
export { creditNotes, debts, disputeEvidence, disputes, payments, receiptNumbers, receipts };

/**
 * One row per subject whose payment a saga's step makes: the lock under which it is made, and the mark that the subject was settled to
 * zero, after which no payment can be made for it. It exists also when the undo came before the step. A direct payment has none: its row is
 * stored before its saga begins.
 */
export const paymentGuards = pgTable(
  'payment_guards',
  {
    subjectKind: text('subject_kind', { enum: SUBJECT_KINDS }).notNull(),
    subjectId: uuid('subject_id').notNull(),
    settledAt: instant('settled_at'),
  },
  (t) => [primaryKey({ columns: [t.subjectKind, t.subjectId] })],
);

/**
 * The guards of the code of before, which knows bookings alone. A trigger has it take the lock of `payment_guards`, note its marks there and
 * find those that stand there. Goes with the code of before.
 */
export const bookingGuards = pgTable('booking_guards', {
  bookingId: uuid('booking_id').primaryKey(),
  settledAt: instant('settled_at'),
});

export const refunds = pgTable(
  'refunds',
  {
    id: uuid().primaryKey(),
    paymentId: uuid('payment_id')
      .notNull()
      .references(() => payments.id),
    /** Who caused it: a person or saga asked, a settlement to zero, or somebody in Stripe's own dashboard. */
    origin: text({ enum: REFUND_ORIGINS }).notNull(),
    requestedBy: uuid('requested_by'),
    reason: text().notNull(),
    status: text({ enum: REFUND_STATUSES }).notNull(),
    currency: text().notNull(),
    amount: minorUnits('amount').notNull(),
    stripeRefundId: text('stripe_refund_id').unique('refunds_stripe_refund'),
    /** How often it was made at Stripe, this time included: Stripe never tries a failed refund again, so each try is one of its own. */
    tries: integer().notNull().default(1),
    /** What earlier tries were at Stripe, each failed for good. */
    formerStripeIds: text('former_stripe_ids').array().notNull().default(sql`'{}'`),
    /**
     * The state that somebody has seen to: its saga has shown it and ended, or an operator settled a failure by other means. As long as
     * `status` is another, a saga pursues the refund, or has to be woken for it.
     */
    closedAs: text('closed_as', { enum: REFUND_ENDS }),
    /** Why Stripe refused it or the bank sent it back; `refunded_otherwise`: another refund has taken its place. */
    failureCode: text('failure_code'),
    /** The latest try of which its payer has been told that it is made: should it come back, they are told that too. */
    toldTry: integer('told_try'),
    /** Set by the first step of its saga: until then the saga may never have started. */
    sagaStartedAt: instant('saga_started_at'),
    creditNoteIssuedAt: instant('credit_note_issued_at'),
    createdAt: instant('created_at').notNull().defaultNow(),
    updatedAt: instant('updated_at').notNull().defaultNow(),
  },
  (t) => [
    check('refunds_amount', sql`${t.amount} > 0`),
    // What is to get a credit note.
    index('refunds_credit_note_due').on(t.createdAt).where(sql`status = 'succeeded' and credit_note_issued_at is null`),
    index('refunds_payment').on(t.paymentId),
    // What the sweep looks through: the few that failed and wait for an operator.
    index('refunds_failed').on(t.paymentId).where(sql`status = 'failed' and closed_as is distinct from 'failed'`),
    // What the sweep looks through. A refund that no person asked for has a saga that starts its own.
    index('refunds_unstarted')
      .on(t.createdAt)
      .where(sql`saga_started_at is null and status = 'pending' and requested_by is not null`),
  ],
);

/**
 * Every request to Stripe that may move money or make something there, committed before it is sent under the key
 * `<step_key>/<number>`. `outcome` null: sent or about to be, and nobody knows; `nothing`: Stripe failed and a look-up
 * showed that it had no effect, so the next attempt takes the next number.
 */
export const stripeAttempts = pgTable(
  'stripe_attempts',
  {
    id: bigserial({ mode: 'number' }).primaryKey(),
    stepKey: text('step_key').notNull(),
    number: integer().notNull(),
    kind: text({
      enum: [
        'create_intent',
        'capture',
        'cancel',
        'refund',
        'create_account',
        'transfer',
        'reverse_transfer',
        'bank_payout',
        'submit_evidence',
        'accept_dispute',
      ],
    }).notNull(),
    /** What it is about: a payment, a refund, a user, a payout, a dispute, or a PaymentIntent that belongs to no payment. */
    subject: text().notNull(),
    /** The customer an intent was asked for; all else that is sent stands in the payment. The same must be sent again. */
    customerId: text('customer_id'),
    outcome: text({ enum: ['done', 'refused', 'nothing'] }),
    /** Stripe's error code of a refusal. */
    code: text(),
    startedAt: instant('started_at').notNull().defaultNow(),
    finishedAt: instant('finished_at'),
  },
  (t) => [
    unique('stripe_attempts_key').on(t.stepKey, t.number),
    // At most one attempt at a thing is open at a time: two of them could both take effect.
    uniqueIndex('stripe_attempts_one_open').on(t.subject, t.kind).where(sql`outcome is null`),
    index('stripe_attempts_subject').on(t.subject, t.kind),
  ],
);

/** Who a user is at Stripe: a customer (students) or a connected account (tutors). */
export const stripeAccounts = pgTable(
  'stripe_accounts',
  {
    /** The user's id. Of a connected account that somebody has beside their customer: the id of what it was made for. */
    userId: uuid('user_id').primaryKey(),
    /** Whose it is, where `user_id` does not say it. */
    ownerId: uuid('owner_id'),
    /** Null when the removal came before the account. */
    role: text({ enum: ['student', 'tutor'] }),
    /** `cus_…` or `acct_…`. */
    stripeId: text('stripe_id').unique('stripe_accounts_stripe_id'),
    removedAt: instant('removed_at'),
    /** Of a connected account: whether Stripe pays it out, as it said when last asked. Null until then. */
    payoutsEnabled: boolean('payouts_enabled'),
    createdAt: instant('created_at').notNull().defaultNow(),
  },
  // One beside the customer, of which a removed one's row is not one.
  (t) => [uniqueIndex('stripe_accounts_owner').on(t.ownerId).where(sql`owner_id is not null and removed_at is null`)],
);

/** Events Stripe has sent, once each. Not their content: what is true now is asked of Stripe when one is processed. */
export const stripeWebhooksLog = pgTable(
  'stripe_webhooks_log',
  {
    eventId: text('event_id').primaryKey(),
    type: text().notNull(),
    objectId: text('object_id'),
    /** The PaymentIntent that it is about, by which it is acted on. */
    intentId: text('intent_id'),
    /** The connected account that it comes from. */
    account: text(),
    createdAt: instant('created_at').notNull(),
    deliveries: integer().notNull().default(1),
    receivedAt: instant('received_at').notNull().defaultNow(),
    processedAt: instant('processed_at'),
  },
  (t) => [
    index('stripe_webhooks_received').on(t.receivedAt, t.eventId),
    index('stripe_webhooks_unprocessed').on(t.receivedAt).where(sql`processed_at is null`),
  ],
);

/** One row per payee: the lock under which what they earned becomes payable and is paid out. */
export const payees = pgTable('payees', {
  userId: uuid('user_id').primaryKey(),
  /** The suspension because of which no payout of theirs begins. */
  frozenBy: uuid('frozen_by'),
});

/** Why the tutor's share of a payment may not become payable for now. What is open holds it back, whatever else is true. That of a dispute has its id. */
export const earningHolds = pgTable(
  'earning_holds',
  {
    id: uuid().primaryKey(),
    paymentId: uuid('payment_id')
      .notNull()
      .references(() => payments.id),
    reason: text({ enum: ['dispute'] }).notNull(),
    openedAt: instant('opened_at').notNull().defaultNow(),
    closedAt: instant('closed_at'),
  },
  (t) => [index('earning_holds_open').on(t.paymentId).where(sql`closed_at is null`)],
);

/**
 * What was taken out of somebody's payable earnings to be paid out. Its amount is theirs again with `returnedAt`: when it came to nothing, or
 * their bank sent it back.
 */
export const payouts = pgTable(
  'payouts',
  {
    id: uuid().primaryKey(),
    payeeId: uuid('payee_id').notNull(),
    /** Who asked for it: the payee, or the week's Schedule. */
    origin: text({ enum: PAYOUT_ORIGINS }).notNull(),
    status: text({ enum: PAYOUT_STATUSES }).notNull(),
    statusReason: text('status_reason', { enum: PAYOUT_REASONS }),
    currency: text().notNull(),
    amount: minorUnits('amount').notNull(),
    /** What became payable in this time is in it, as far as its amount reaches. `from` is where the one before it ended. */
    periodFrom: instant('period_from'),
    periodTo: instant('period_to').notNull(),
    /** The connected account that got the transfer. */
    stripeAccount: text('stripe_account'),
    stripeTransferId: text('stripe_transfer_id').unique('payouts_stripe_transfer'),
    transferredAt: instant('transferred_at'),
    stripeReversalId: text('stripe_reversal_id').unique('payouts_stripe_reversal'),
    reversedAt: instant('reversed_at'),
    stripePayoutId: text('stripe_payout_id').unique('payouts_stripe_payout'),
    /** Where it went at the payee's bank, as Stripe names it: `ba_…`. */
    bankAccount: text('bank_account'),
    /** When Stripe expects it at the bank. */
    expectedAt: instant('expected_at'),
    /** When Stripe said that it is there. The bank may still send it back. */
    arrivedAt: instant('arrived_at'),
    /** Why the bank refused it or sent it back, or Stripe refused it, in Stripe's word. */
    failureCode: text('failure_code'),
    /** Nothing more is sent to Stripe: it is being taken back, or an operator has settled it. */
    stoppedAt: instant('stopped_at'),
    /** How an operator settled it by hand. */
    closedAs: text('closed_as', { enum: SETTLEMENTS }),
    /** Its amount is payable again. */
    returnedAt: instant('returned_at'),
    /** Set by the first step of its saga: until then the saga may never have started. */
    sagaStartedAt: instant('saga_started_at'),
    /** When the sweep last asked Stripe about it, which it does once its saga watches no more. */
    sweptAt: instant('swept_at'),
    version: integer().notNull().default(1),
    createdAt: instant('created_at').notNull().defaultNow(),
    updatedAt: instant('updated_at').notNull().defaultNow(),
  },
  (t) => [
    check('payouts_amount', sql`${t.amount} > 0`),
    // From then on it is watched for some days.
    check('payouts_completed_arrived', sql`${t.status} <> 'completed' or ${t.arrivedAt} is not null`),
    // Two at once would be two sagas that wait for the same bank.
    uniqueIndex('payouts_one_open').on(t.payeeId, t.currency).where(sql`status in ('pending', 'processing')`),
    index('payouts_payee').on(t.payeeId, t.createdAt),
    // What waits for its payee or for funds, and what the sweep looks through: a few rows.
    index('payouts_waiting').on(t.createdAt).where(sql`status = 'pending'`),
    // What arrived, of which the sweep looks through the latest.
    index('payouts_arrived').on(t.arrivedAt).where(sql`arrived_at is not null`),
  ],
);

/** One movement of money. Append-only; its entries sum to zero when the database transaction commits (triggers). */
export const ledgerTransactions = pgTable(
  'ledger_transactions',
  {
    id: uuid().primaryKey(),
    /** What it belongs to: one of these. */
    paymentId: uuid('payment_id').references(() => payments.id),
    payoutId: uuid('payout_id').references(() => payouts.id),
    disputeId: uuid('dispute_id'),
    debtId: uuid('debt_id').references(() => debts.id),
    kind: text({ enum: MOVEMENT_KINDS }).notNull(),
    /** The id at Stripe (or here) that makes this movement happen once. */
    reference: text().notNull(),
    currency: text().notNull(),
    postedAt: instant('posted_at').notNull().defaultNow(),
  },
  (t) => [
    check(
      'ledger_transaction_of_one',
      sql`num_nonnulls(${t.paymentId}, ${t.payoutId}, ${t.disputeId}, ${t.debtId}) = 1`,
    ),
    // Of what is null one is as good as another: otherwise what belongs to no payment could be posted twice. What belongs to a debt has
    // nulls in all three, and is told apart by its reference, the debt's id.
    unique('ledger_posted_once').on(t.paymentId, t.payoutId, t.disputeId, t.kind, t.reference).nullsNotDistinct(),
    index('ledger_transactions_payout').on(t.payoutId).where(sql`payout_id is not null`),
    index('ledger_transactions_dispute').on(t.disputeId).where(sql`dispute_id is not null`),
    unique('ledger_transaction_currency').on(t.id, t.currency),
  ],
);

/** `amount` is positive for a debit, negative for a credit. */
export const ledgerEntries = pgTable(
  'ledger_entries',
  {
    transactionId: uuid('transaction_id').notNull(),
    account: text().notNull(),
    currency: text().notNull(),
    amount: minorUnits('amount').notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.transactionId, t.account] }),
    // The pair keeps both sides of a transaction in one currency.
    foreignKey({
      name: 'ledger_entries_transaction',
      columns: [t.transactionId, t.currency],
      foreignColumns: [ledgerTransactions.id, ledgerTransactions.currency],
    }),
    check('ledger_entries_moves_something', sql`${t.amount} <> 0`),
    index('ledger_entries_account').on(t.account, t.currency),
  ],
);

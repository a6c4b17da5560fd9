import { sql } from 'drizzle-orm';
import { check, index, integer, pgTable, text, unique, uuid } from 'drizzle-orm/pg-core';
import { SUBJECT_KINDS } from '../../../kernel/payment-subject';
import { CAPTURES, PAYMENT_REFUSALS, PAYMENT_STATUSES } from '../../../kernel/statuses';
import { instant, minorUnits } from '../platform';

/** What somebody pays somebody else for something: the money at Stripe, and what came back of it. */
export const payments = pgTable(
  'payments',
  {
    id: uuid().primaryKey(),
    /** What is paid for; of a direct payment its own id. */
    subjectKind: text('subject_kind', { enum: SUBJECT_KINDS }).notNull(),
    subjectId: uuid('subject_id').notNull(),
    /** The booking that is paid for. A trigger keeps it for the code of before, which knows nothing else, and it goes with that code. */
    bookingId: uuid('booking_id').unique('payments_one_per_booking'),
    payerId: uuid('payer_id').notNull(),
    payeeId: uuid('payee_id').notNull(),
    status: text({ enum: PAYMENT_STATUSES }).notNull(),
    capture: text({ enum: CAPTURES }).notNull(),
    currency: text().notNull(),
    amount: minorUnits('amount').notNull(),
    /** The platform's share of `amount`, fixed when the payment is made so that a later change of the rate alters nothing. */
    fee: minorUnits('fee').notNull(),
    captured: minorUnits('captured').notNull().default(0),
    refunded: minorUnits('refunded').notNull().default(0),
    /**
     * Promised to the payer and not yet through: refunds under way, and those that failed and that nobody has given up. Reserved, so that
     * two refunds together never exceed what was captured.
     */
    refundPending: minorUnits('refund_pending').notNull().default(0),
    /** What banks have taken of it for disputes that are not decided. As long as that is something, nothing is refunded. */
    disputed: minorUnits('disputed').notNull().default(0),
    /** What its payer has got back from their bank by disputes that were lost, as far as it was left of `captured`. */
    chargedBack: minorUnits('charged_back').notNull().default(0),
    paymentMethodId: text('payment_method_id').notNull(),
    description: text(),
    stripeIntentId: text('stripe_intent_id').unique('payments_stripe_intent'),
    clientSecret: text('client_secret'),
    captureBefore: instant('capture_before'),
    declineCode: text('decline_code'),
    /** Of a direct payment, set by its saga's first step: until then the saga may never have started. */
    sagaStartedAt: instant('saga_started_at'),
    /**
     * Why a payment has failed that no bank declined. `request_expired`: a direct payment whose saga had not begun; Stripe never heard of it.
     * `payment_rejected`: Stripe called our request invalid; the code is that of the attempt.
     */
    refusal: text({ enum: PAYMENT_REFUSALS }),
    /** Settled to zero: steps that arrive later are refused. */
    settledAt: instant('settled_at'),
    /**
     * The earliest time at which the tutor's share may become payable; null until its saga has said that what was paid for is over. Later
     * while Stripe has not got the money yet or somebody holds it (`earning_holds`).
     */
    earningsDueAt: instant('earnings_due_at'),
    /** When Stripe can pay the money out, which it says with its fee. */
    availableOn: instant('available_on'),
    /** The tutor's share went from pending to payable. */
    releasedAt: instant('released_at'),
    receiptIssuedAt: instant('receipt_issued_at'),
    version: integer().notNull().default(1),
    createdAt: instant('created_at').notNull().defaultNow(),
    updatedAt: instant('updated_at').notNull().defaultNow(),
  },
  (t) => [
    check('payments_direct_subject', sql`${t.subjectKind} <> 'direct' or ${t.subjectId} = ${t.id}`),
    check(
      'payments_booking_is_subject',
      sql`${t.bookingId} is not distinct from case ${t.subjectKind} when 'booking' then ${t.subjectId} end`,
    ),
    check('payments_fee_within_amount', sql`${t.amount} > 0 and ${t.fee} between 0 and ${t.amount}`),
    check('payments_captured_within_amount', sql`${t.captured} between 0 and ${t.amount}`),
    check('payments_refunded_within_captured', sql`${t.refunded} between 0 and ${t.captured}`),
    check('payments_refund_pending', sql`${t.refundPending} >= 0`),
    check('payments_disputed', sql`${t.disputed} >= 0 and ${t.chargedBack} between 0 and ${t.captured}`),
    unique('payments_one_per_subject').on(t.subjectKind, t.subjectId),
    index('payments_payer').on(t.payerId),
    index('payments_payee').on(t.payeeId),
    // What becomes payable next: a few days' payments, of which each leaves it when it does.
    index('payments_earnings_due').on(t.earningsDueAt).where(sql`earnings_due_at is not null and released_at is null`),
    // What is to get a receipt: a few minutes' payments, of which each leaves it with its receipt.
    index('payments_receipt_due').on(t.createdAt).where(sql`captured > 0 and receipt_issued_at is null`),
    // What the sweep looks through: a few rows, of which each leaves it with the first step of its saga.
    index('payments_direct_unstarted')
      .on(t.createdAt)
      .where(sql`saga_started_at is null and subject_kind = 'direct' and status = 'pending'`),
    // The same for the sweep of the code of before. Goes with it.
    index('payments_unstarted')
      .on(t.createdAt)
      .where(sql`saga_started_at is null and booking_id is null and status = 'pending'`),
  ],
);

import { sql } from 'drizzle-orm';
import { check, index, integer, pgTable, primaryKey, text, uuid } from 'drizzle-orm/pg-core';
import { DISPUTE_STATUSES } from '../../../kernel/statuses';
import { instant, minorUnits } from '../platform';
import { payments } from './payments';

/** A payment whose card's holder wants it back from their bank, as Stripe said when it was last asked. */
export const disputes = pgTable(
  'disputes',
  {
    id: uuid().primaryKey(),
    paymentId: uuid('payment_id')
      .notNull()
      .references(() => payments.id),
    stripeDisputeId: text('stripe_dispute_id').notNull().unique('disputes_stripe_dispute'),
    status: text({ enum: DISPUTE_STATUSES }).notNull(),
    /** The category of the holder's claim, in Stripe's word. */
    reason: text().notNull(),
    currency: text().notNull(),
    /** What is claimed, in minor units: below or above what was paid. */
    amount: minorUnits('amount').notNull(),
    /** What the bank has taken, less what it has given back. */
    withdrawn: minorUnits('withdrawn').notNull().default(0),
    /** Of what its payer was promised by refunds, so much the bank has given them instead. */
    covered: minorUnits('covered').notNull().default(0),
    /** Until when the bank takes evidence; null where it takes none. */
    respondBy: instant('respond_by'),
    /** When evidence was sent, which can be done once; null until Stripe says that it has some. */
    submittedAt: instant('submitted_at'),
    /** An administrator gave it up. */
    acceptedAt: instant('accepted_at'),
    openedAt: instant('opened_at').notNull(),
    /** When we heard that it is over. */
    decidedAt: instant('decided_at'),
    version: integer().notNull().default(1),
    /** The version at which its saga has ended: one that has changed since is shown anew. */
    closedVersion: integer('closed_version'),
    updatedAt: instant('updated_at').notNull().defaultNow(),
  },
  (t) => [
    check('disputes_amount', sql`${t.amount} > 0 and ${t.covered} >= 0`),
    index('disputes_payment').on(t.paymentId),
    // What the nightly look asks Stripe about, whatever Stripe lists: a few rows.
    index('disputes_open').on(t.openedAt).where(sql`decided_at is null`),
  ],
);

/** What is said against a dispute: a text for each of the fields that Stripe has for it. */
export const disputeEvidence = pgTable(
  'dispute_evidence',
  {
    disputeId: uuid('dispute_id')
      .notNull()
      .references(() => disputes.id),
    /** `statement`: the payee's own words; the others are put together from what the platform knows. */
    field: text({
      enum: [
        'statement',
        'product_description',
        'service_date',
        'access_activity_log',
        'cancellation_policy_disclosure',
      ],
    }).notNull(),
    text: text().notNull(),
    updatedAt: instant('updated_at').notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.disputeId, t.field] })],
);

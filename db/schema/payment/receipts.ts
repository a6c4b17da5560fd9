import { sql } from 'drizzle-orm';
import { check, integer, jsonb, pgTable, primaryKey, text, unique, uuid } from 'drizzle-orm/pg-core';
import { RECEIPT_LANGUAGES } from '../../../kernel/receipt-language';
import { instant, minorUnits } from '../platform';

/** Text under AES-256-GCM, as `platform/sealing.ts` makes it. */
interface SealedText {
  iv: string;
  ciphertext: string;
  tag: string;
}

/**
 * The last number of a kind and year. Its row is locked by the transaction that stores what gets the number: numbers have no gaps, because
 * what is not stored gives its number back.
 */
export const receiptNumbers = pgTable(
  'receipt_numbers',
  {
    kind: text({ enum: ['receipt', 'credit_note'] }).notNull(),
    /** In UTC, of the day of issue. */
    year: integer().notNull(),
    last: integer().notNull(),
  },
  (t) => [primaryKey({ columns: [t.kind, t.year] })],
);

/** What a receipt says, as it was when it was issued: one per payment, never changed. */
export const receipts = pgTable(
  'receipts',
  {
    paymentId: uuid('payment_id').primaryKey(),
    year: integer().notNull(),
    number: integer().notNull(),
    /** The payment's, when it was issued. */
    paymentVersion: integer('payment_version').notNull(),
    currency: text().notNull(),
    /** What was taken. */
    amount: minorUnits('amount').notNull(),
    /** The platform's share of it. */
    fee: minorUnits('fee').notNull(),
    paidAt: instant('paid_at').notNull(),
    description: text(),
    /** The payer's. */
    language: text({ enum: RECEIPT_LANGUAGES }).notNull(),
    /** What payer and payee are called. The only place in this database that knows it, and whoever reads the database alone does not. */
    names: jsonb().$type<SealedText>().notNull(),
    issuedAt: instant('issued_at').notNull().defaultNow(),
  },
  (t) => [
    check('receipts_fee_within_amount', sql`${t.amount} > 0 and ${t.fee} between 0 and ${t.amount}`),
    unique('receipts_number').on(t.year, t.number),
  ],
);

/** What a credit note says beside the receipt that it belongs to: one per refund, never changed. */
export const creditNotes = pgTable(
  'credit_notes',
  {
    refundId: uuid('refund_id').primaryKey(),
    /** Of the payment that it is of. */
    paymentId: uuid('payment_id')
      .notNull()
      .references(() => receipts.paymentId),
    year: integer().notNull(),
    number: integer().notNull(),
    currency: text().notNull(),
    /** What was given back. */
    amount: minorUnits('amount').notNull(),
    issuedAt: instant('issued_at').notNull().defaultNow(),
  },
  (t) => [check('credit_notes_amount', sql`${t.amount} > 0`), unique('credit_notes_number').on(t.year, t.number)],
);

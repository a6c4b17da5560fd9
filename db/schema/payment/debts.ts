import { sql } from 'drizzle-orm';
import { check, index, pgTable, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core';
import { SETTLEMENTS } from '../../../kernel/saga-type';
import { DEBT_STATUSES } from '../../../kernel/statuses';
import { instant, minorUnits } from '../platform';

/**
 * What a payee is below zero by, once that is an operator's. How much it is now, the ledger alone says: it changes with whatever is earned
 * and given back.
 */
export const debts = pgTable(
  'debts',
  {
    id: uuid().primaryKey(),
    payeeId: uuid('payee_id').notNull(),
    currency: text().notNull(),
    status: text({ enum: DEBT_STATUSES }).notNull(),
    /** What it was when it was opened. */
    amount: minorUnits('amount').notNull(),
    /** When the payee came below zero. */
    since: instant('since').notNull(),
    openedAt: instant('opened_at').notNull().defaultNow(),
    closedAt: instant('closed_at'),
    /** How an operator settled it by hand; null when earnings paid it. */
    closedAs: text('closed_as', { enum: SETTLEMENTS }),
  },
  (t) => [
    check('debts_amount', sql`${t.amount} > 0`),
    check('debts_open_until_closed', sql`(${t.status} = 'open') = (${t.closedAt} is null)`),
    check('debts_settled_as', sql`(${t.status} = 'settled') = (${t.closedAs} is not null)`),
    // What makes it one, however many ask for it at once.
    uniqueIndex('debts_one_open').on(t.payeeId, t.currency).where(sql`status = 'open'`),
    index('debts_payee').on(t.payeeId, t.currency, t.openedAt),
  ],
);

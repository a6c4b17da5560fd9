import type { FoldedTable } from '../platform/fold';
import { Uuid } from '../platform/schemas';
import { foldedBookings } from '../services/booking/store/fold';
import { foldedTables } from '../services/payment/folds/store';
import { asOperator } from './as-operator';

const USAGE = `npm run rebase-folds -- booking booking:<id> …
npm run rebase-folds -- payment payment:<id> refund:<id> payout:<id> ledger_transaction:<id> …`;

const TABLES: ReadonlyMap<string, { context: 'booking' | 'payment'; tables: readonly FoldedTable[] }> = new Map([
  ['booking', { context: 'booking', tables: [foldedBookings] }],
  ['payment', { context: 'payment', tables: foldedTables }],
]);

/**
 * `npm run rebase-folds`: has the folds of rows begin anew with the rows as they stand, as `daily-folds` names those that differ from their events.
 * For who has found out why they differ: it mends no code. Repeated it does nothing.
 */
const [name = '', ...rows] = process.argv.slice(2);
const known = TABLES.get(name);
if (!known || rows.length === 0) {
  console.error(USAGE);
  process.exitCode = 1;
} else
  void asOperator('rebase-folds', async ({ database }) => {
    const { db } = database(known.context);
    const done: string[] = [];
    for (const row of rows) {
      const [kind, id] = row.split(':');
      const table = known.tables.find((one) => one.kind === kind);
      const { success, data } = Uuid.safeParse(id);
      if (!table || !success)
        throw new Error(`${row} is no row of ${name}: ${done.length} were done before it\n${USAGE}`);
      const isRebased = await table.rebase(db, data);
      done.push(`${row} ${isRebased ? 'begins anew' : 'is what its events say'}`);
    }
    return done.join('\n');
  });

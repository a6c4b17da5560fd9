import { ProblemError } from '../../../kernel/errors';
import { isUuid } from '../../../kernel/ids';
import { nextMonday, PAYOUT_HOUR } from '../../../kernel/week';
import { listCursor } from '../../../platform/cursor';
import type { Service } from '../../../platform/http-server';
import { ok } from '../../../platform/replies';
import { Uuid } from '../../../platform/schemas';
import { isPaidOut } from '../accounts/store';
import { paymentContract as contract } from '../contract';
import type { Till } from '../till';
import { csvOf } from '../wallet/csv';
import { listEntries, readBalances } from '../wallet/store';

const MOST_IN_A_TABLE = 10_000;

/** The cursor of the page that ends with this movement. Ids are UUIDv7 and so sort by time. */
const entriesCursor = listCursor(Uuid.refine(isUuid));

/** What people see of what they have earned: their own alone. */
export function serveWallet(service: Service, till: Till): void {
  const { db } = till;
  service.serve(contract.getWallet, async ({ user }) => {
    const [balances, payoutsEnabled] = await Promise.all([readBalances(till, user.id), isPaidOut(db, user.id)]);
    return ok({ balances, payoutsEnabled, nextPayoutAt: nextMonday(Date.now(), PAYOUT_HOUR).toISOString() });
  });

  service.serve(contract.getWalletEntriesCsv, async ({ user, query }) => {
    const { items, nextId } = await listEntries(db, user.id, { ...query, limit: MOST_IN_A_TABLE });
    if (nextId !== null)
      throw new ProblemError('validation_failed', 'There are more movements than fit into a table', {
        errors: [{ path: 'query.from', message: 'must leave at most 10,000 movements' }],
      });
    return { ...ok(csvOf(items.reverse())), headers: { 'content-disposition': 'attachment; filename="wallet.csv"' } };
  });

  service.serve(contract.listWalletEntries, async ({ user, query: { cursor, ...query } }) => {
    const before = cursor === undefined ? undefined : entriesCursor.read(cursor);
    const { items, nextId } = await listEntries(db, user.id, { ...query, before });
    return ok({ items, nextCursor: nextId && entriesCursor.write(nextId) });
  });
}

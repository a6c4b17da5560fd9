import { asProblem } from '../../../platform/problem';
import type { Logger } from '../../../platform/telemetry';
import type { Sagas } from '../../../platform/temporal';
import { debtOpen, debtSaga } from '../../../workflows/debt.api';
import type { DebtsOpened, OpenDebts } from '../contract';
import { listPayees } from '../payouts/store/opening';
import type { Till } from '../till';
import { openDebts, openDebtsOf, payeesForOperator } from './store';

/** So many payees are looked at in one call: one query for all of them, and few are below zero. */
const PAGE = 500;

/**
 * Opens what an operator is to see of a page of payees, and tells the saga of each debt that is open, which begins it where there is none:
 * one that was ended from outside comes back. Who cannot be looked at is logged and counted, and holds up nobody else.
 * @throws ProblemError upstream_unavailable: call again; what was opened by then is found open
 */
export async function openDueDebts(
  { db }: Pick<Till, 'db'>,
  { sagas, logger }: { sagas: Sagas; logger: Logger },
  { after }: OpenDebts,
): Promise<DebtsOpened> {
  const page = await listPayees(db, after, PAGE);
  const done = { opened: 0, failed: 0 };
  for (const payeeId of await payeesForOperator(db, page)) {
    try {
      done.opened += (await openDebts(db, payeeId)).length;
    } catch (error) {
      // A database that does not answer is nobody's own trouble.
      if (asProblem(error).code !== 'internal') throw error;
      logger.error({ err: error, payeeId }, 'what a payee is below zero by could not be opened');
      done.failed += 1;
    }
  }
  const open = await openDebtsOf(db, page);
  for (const { id: debtId, payeeId, currency } of open)
    await sagas.wake(debtSaga, { payeeId, currency }, debtOpen, { debtId });
  return { ...done, open: open.length, next: page.length < PAGE ? null : (page.at(-1) ?? null) };
}

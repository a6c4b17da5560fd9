import { currentDetails } from '../../dev/chaos/histories';
import { uuidv7 } from '../../platform/ids';
import { startOptions } from '../../platform/temporal';
import { DEBT_STEPS } from '../../workflows/debt';
import { debtSaga } from '../../workflows/debt.api';
import { type Resolution, resolve } from '../../workflows/saga.api';
import type { Person } from '../support/marketplace';
import { eventually, type TestPlatform } from '../support/platform';
import { forward, type Row, type SagaTable, type SagaUnderFaults, type Scene, toldBy } from './saga-table';

type Ending = 'done';

/** What ends it. */
const WAYS = { look: 'it comes back', settle: 'an operator waives it' } as const;
const OWED = 25_500;

const step = (name: keyof typeof DEBT_STEPS, asks: string): Row<Ending> => ({
  ...{ step: name, way: WAYS[name], runs: DEBT_STEPS[name].runs, beforePivot: false, asks, cells: forward },
});

export const DEBTS: SagaTable<Ending> = {
  kind: 'debt',
  rows: [step('look', 'look'), step('settle', 'settle debt by hand')],
  truth: (_, { way }) => ({
    debts: [way === WAYS.look ? 'recovered/null' : 'settled/waived'],
    posted: way === WAYS.look ? [] : [OWED],
    payable: 0,
    told: [],
  }),
  answers: () => [200],
};

/** What each of `people` owes, when they do: a play each. */
export function debts(platform: TestPlatform, nextPayee: () => Person): SagaUnderFaults {
  const sql = platform.database('payment');

  /** As a dispute moves money: it is taken from its payee, or comes back to them. No other saga's calls come between the faults. */
  const dispute = (payeeId: string, kind: 'refund_owed' | 'release', taken: number) =>
    sql.begin(async (tx) => {
      const [id, disputeId] = [uuidv7(), uuidv7()];
      await tx`
        insert into ledger_transactions (id, dispute_id, kind, reference, currency)
        values (${id}, ${disputeId}, ${kind}, ${disputeId}, 'EUR')`;
      await tx`
        insert into ledger_entries (transaction_id, account, currency, amount)
        values (${id}, ${`tutor_payable:${payeeId}`}, 'EUR', ${taken}), (${id}, 'platform_revenue', 'EUR', ${-taken})`;
    });

  /** As an operator does, once they are asked about the debt. */
  async function answer(workflowId: string, payeeId: string, way: string): Promise<void> {
    const saga = platform.temporal.workflow.getHandle(workflowId);
    const isAsked = async () => (await currentDetails(saga).catch(() => '')).includes('**debt** is not done');
    await eventually(`${workflowId} asks an operator`, isAsked, 60_000);
    if (way === WAYS.look) await dispute(payeeId, 'release', -OWED);
    const args: [Resolution] = [{ step: 'debt', action: way === WAYS.look ? 'retry' : 'waived' }];
    await saga.executeUpdate(resolve, { args });
  }

  return {
    async begin({ way }, lay): Promise<Scene> {
      const { id: payeeId, token } = nextPayee();
      await dispute(payeeId, 'refund_owed', OWED);
      await sql`
        insert into debts (id, payee_id, currency, status, amount, since)
        values (${uuidv7()}, ${payeeId}, 'EUR', 'open', ${OWED}, now())`;
      lay(platform.proxy.of('debt', payeeId));
      const started = startOptions(debtSaga, { payeeId, currency: 'EUR' });
      await platform.temporal.workflow.start(debtSaga.workflowType, started);
      const { workflowId } = started;
      const asked = answer(workflowId, payeeId, way).then(() => platform.ask('GET', '/api/wallet', { token }));
      return { workflowId, id: payeeId, asked };
    },
    async facts({ id, workflowId }) {
      const [rows, posted, [has], told] = await Promise.all([
        sql<{ is: string }[]>`
          select status || '/' || coalesce(closed_as, 'null') as is from debts where payee_id = ${id}`,
        sql<{ amount: string }[]>`
          select e.amount from ledger_entries e join ledger_transactions t on t.id = e.transaction_id
          join debts d on d.id = t.debt_id where d.payee_id = ${id} and e.amount > 0`,
        sql<{ payable: string }[]>`
          select -sum(amount) as payable from ledger_entries where account = ${`tutor_payable:${id}`}`,
        toldBy(platform, workflowId),
      ]);
      return {
        ...{ debts: rows.map(({ is }) => is), posted: posted.map(({ amount }) => Number(amount)) },
        ...{ payable: Number(has?.payable), told },
      };
    },
  };
}

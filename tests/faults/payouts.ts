import { uuidv7 } from '../../platform/ids';
import { PAYOUT_STEPS } from '../../workflows/payout';
import type { SagaFaults } from '../support/fault-proxy';
import type { Person } from '../support/marketplace';
import { eventually, type TestPlatform } from '../support/platform';
import {
  type Cells,
  forward,
  notice,
  type Row,
  type SagaTable,
  type SagaUnderFaults,
  type Scene,
  toldBy,
  turns,
  undoable,
} from './saga-table';

type Ending = 'done' | 'undone' | 'untold';

/** Every payout goes to a bank that does not take it: what the bank has is watched for days, and what it refuses is over at once. */
const WAY = 'a bank that does not take it';
/** It takes no money for lack of it there: the account stays one to which Stripe sends more. */
const BANK = { currency: 'eur', country: 'DE', account_number: 'DE89370400440532013003' };
/** Long enough for the saga to wait for the bank's word. */
const TRANSIT_MS = 2_000;

const step = (name: keyof typeof PAYOUT_STEPS, cells: Cells<Ending>, beforePivot = false): Row<Ending> => ({
  ...{ step: name, way: WAY, runs: PAYOUT_STEPS[name].runs, beforePivot, cells },
});
/** What Stripe does is seen to its end, and a cancel is heard then. */
const cancelledAfter = { deadAndCancelled: 'undone', hangsAndCancelled: 'undone' } as const;
const ROWS: Row<Ending>[] = [
  step('open', undoable, true),
  step('check', { ...forward, ...cancelledAfter }),
  step('transfer', { ...forward, ...cancelledAfter, refused: 'undone', undoRefused: 'undone' }),
  step('bank', { ...forward, refused: 'undone' }),
  step('refresh', forward),
  step('return', forward),
  { step: 'over', way: WAY, runs: 'local', beforePivot: false, cells: notice },
];

export const PAYOUTS: SagaTable<Ending> = {
  kind: 'payout',
  rows: ROWS,
  lastUndone: 'transfer',
  truth: (ending) => ({
    payout: ending === 'undone' ? 'cancelled' : 'failed',
    ...{ isReturned: true, ledger: {}, payable: 3_825, atStripe: 0, sentTwice: false },
    told: ending === 'untold' ? [] : ['payout_failed'],
  }),
  answers: () => [201],
};

/** Who has earned something that is payable, and told Stripe of their bank. One play each. */
export async function earners(platform: TestPlatform, payer: Person, people: Person[]): Promise<void> {
  const sql = platform.database('payment');
  await platform.sandbox('POST', '/sandbox/settings', { payoutPendingMs: 0, payoutTransitMs: TRANSIT_MS });
  await Promise.all(
    people.map(async ({ id }) => {
      const account = await eventually('the account is at Stripe', async () => {
        const [row] = await sql<
          { at: string | null }[]
        >`select stripe_id as at from stripe_accounts where user_id = ${id}`;
        return row?.at;
      });
      await platform.sandbox('POST', `/sandbox/accounts/${account}/onboarding`, { banks: [BANK] });
      const body = { payeeId: id, amount: { amount: 4_500, currency: 'EUR' }, description: 'Books' };
      const paid = await platform.ask('POST', '/api/payments', {
        ...{ token: payer.token, key: uuidv7(), body: { ...body, paymentMethodId: 'pm_card_visa' } },
      });
      await platform.temporal.workflow.getHandle(paid.body.workflowId).result();
    }),
  );
  // Their rest is over, and Stripe has the money.
  await sql`update payments set earnings_due_at = now() - interval '1 second', available_on = now() - interval '1 second'
    where payee_id = any(${people.map(({ id }) => id)}::uuid[])`;
}

/** What each of `payees` has earned is paid out. */
export function payouts(platform: TestPlatform, nextPayee: () => Person): SagaUnderFaults {
  const inTurn = turns();
  const sql = platform.database('payment');

  return {
    begin: (_, lay: (faults: SagaFaults) => void): Promise<Scene> =>
      inTurn(async () => {
        const { token } = nextPayee();
        const faults = platform.proxy.next('payout');
        lay(faults);
        const asked = platform.ask('POST', '/api/payouts/initiate', { token, key: uuidv7(), body: {} });
        const id = await faults.id();
        return { workflowId: `payout:${id}`, id, asked };
      }),
    async facts({ id, workflowId }) {
      const [row] = await sql<{ payout: string; is_returned: boolean; payee: string; account: string }[]>`
        select status as payout, returned_at is not null as is_returned, payee_id as payee,
          (select stripe_id from stripe_accounts where user_id = payee_id) as account from payouts where id = ${id}`;
      const { payout, is_returned: isReturned, payee = '', account = '' } = row ?? {};
      const [ledger, [has], state, told] = await Promise.all([
        sql<{ kind: string; amount: string }[]>`
          select split_part(e.account, ':', 1) as kind, sum(e.amount) as amount from ledger_entries e
          join ledger_transactions t on t.id = e.transaction_id where t.payout_id = ${id} group by 1 having sum(e.amount) <> 0`,
        sql<{ payable: string }[]>`
          select -sum(amount) as payable from ledger_entries where account = ${`tutor_payable:${payee}`}`,
        platform.sandbox('GET', '/sandbox/state'),
        toldBy(platform, workflowId),
      ]);
      const { transfers, connected_totals: totals, connected_payouts: sent } = state.body;
      const mine = transfers.filter(({ transfer_group: group }: { transfer_group: string }) => group === id);
      return {
        ...{ payout, isReturned, payable: Number(has?.payable), told },
        ledger: Object.fromEntries(ledger.map(({ kind, amount }) => [kind, Number(amount)])),
        atStripe: totals[account]?.eur?.received ?? 0,
        sentTwice: mine.length > 1 || (sent[account] ?? []).length > 1,
      };
    },
  };
}

import { z } from 'zod';
import { uuidv7 } from '../../platform/ids';
import { DISPUTE_STEPS } from '../../workflows/dispute';
import type { SagaFaults } from '../support/fault-proxy';
import type { Marketplace, Person, Tutor } from '../support/marketplace';
import { eventually, type TestPlatform } from '../support/platform';
import {
  forward,
  notice,
  type Row,
  type SagaTable,
  type SagaUnderFaults,
  type Scene,
  toldBy,
  turns,
} from './saga-table';

type Ending = 'done' | 'untold';

const WAY = 'its bank decides for the tutor';
const TOLD = { 'opened-chargeback': 'dispute_opened', 'decided-won': 'dispute_decided' } as const;
const PRICE = 4_500;

const step = (name: keyof typeof DISPUTE_STEPS, call: string = name): Row<Ending> => ({
  ...{ step: name, call, way: WAY, runs: DISPUTE_STEPS[name].runs, beforePivot: false, cells: forward },
});
const tells = (name: keyof typeof TOLD): Row<Ending> => ({
  ...{ step: name, way: WAY, runs: 'recorded', beforePivot: false, cells: notice },
});

export const DISPUTES: SagaTable<Ending> = {
  kind: 'dispute',
  rows: [
    step('look'),
    step('gather'),
    step('submit'),
    step('close', 'close/'),
    tells('opened-chargeback'),
    tells('decided-won'),
  ],
  truth: (ending, row) => ({
    dispute: 'won seen',
    stripe: 'won, with evidence',
    frozen: 0,
    pending: 0.85 * PRICE,
    told: Object.entries(TOLD)
      .flatMap(([name, template]) => (ending === 'untold' && name === row.step ? [] : [template]))
      .toSorted(),
  }),
  answers: () => [200],
};

const stateSchema = z.looseObject({
  payment_intents: z.array(z.looseObject({ id: z.string(), metadata: z.record(z.string(), z.string()) })),
  charges: z.array(z.looseObject({ id: z.string(), payment_intent: z.string().nullish() })),
  disputes: z.array(
    z.looseObject({
      ...{ id: z.string(), status: z.string() },
      evidence: z.looseObject({ access_activity_log: z.string().nullable() }),
    }),
  ),
});

/** The holder of a card disputes the payment of a session, when it is too late for its tutor to say something: evidence is sent at once. */
export function disputes(
  platform: TestPlatform,
  market: Marketplace,
  { nextStudent, tutor }: { nextStudent(): Person; tutor: Tutor },
): SagaUnderFaults {
  const inTurn = turns();
  const atStripe = async () => stateSchema.parse((await platform.sandbox('GET', '/sandbox/state')).body);

  async function chargeOf(bookingId: string): Promise<string> {
    const { payment_intents: intents, charges } = await atStripe();
    const intent = intents.find(({ metadata }) => metadata.bookingId === bookingId);
    return String(charges.find((charge) => charge.payment_intent === intent?.id)?.id);
  }

  /** The bank reads what was sent, and decides. */
  async function decided(id: string): Promise<void> {
    await eventually(
      `${id} is sent`,
      async () => {
        const { disputes: all } = await atStripe();
        return all.find((one) => one.id === id)?.status === 'under_review';
      },
      90_000,
    );
    await platform.sandbox('POST', `/sandbox/disputes/${id}`, { to: 'won' });
  }

  return {
    begin: (_, lay): Promise<Scene> =>
      inTurn(async () => {
        const student = nextStudent();
        const { body } = await market.book({ student, tutor });
        await market.untilBooking(body.id, 'confirmed');
        const charge = await chargeOf(body.id);
        const faults: SagaFaults = platform.proxy.next('dispute');
        lay(faults);
        const dueBy = Math.floor(Date.now() / 1_000) + 23 * 3_600;
        const opened = await platform.sandbox('POST', '/sandbox/disputes', { charge, due_by: dueBy });
        const [id, { id: stripeId }] = [await faults.id(), z.looseObject({ id: z.string() }).parse(opened.body)];
        const asked = decided(stripeId).then(() =>
          platform.ask('GET', `/api/disputes/${id}`, { token: tutor.token, key: uuidv7() }),
        );
        return { workflowId: `dispute:${id}`, id, asked };
      }),
    async facts({ id, workflowId }) {
      const sql = platform.database('payment');
      const [[row], money, told] = await Promise.all([
        sql<{ is: string; stripe: string }[]>`
          select status || case when closed_version = version then ' seen' else '' end as is, stripe_dispute_id as stripe
          from disputes where id = ${id}`,
        sql<{ account: string; amount: string }[]>`
          select split_part(e.account, ':', 1) as account, -sum(e.amount) as amount
          from ledger_entries e join ledger_transactions t on t.id = e.transaction_id
          where t.dispute_id = ${id} or t.payment_id = (select payment_id from disputes where id = ${id})
          group by 1`,
        toldBy(platform, workflowId),
      ]);
      const { disputes: all } = await atStripe();
      const there = all.find((one) => one.id === row?.stripe);
      const has = (account: string) => Number(money.find((each) => each.account === account)?.amount ?? 0);
      return {
        dispute: row?.is,
        stripe: `${there?.status}, with${there?.evidence.access_activity_log ? '' : 'out'} evidence`,
        ...{ frozen: has('tutor_frozen'), pending: has('tutor_pending'), told },
      };
    },
  };
}

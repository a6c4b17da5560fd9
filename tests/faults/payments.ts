import { uuidv7 } from '../../platform/ids';
import type { SagaFaults } from '../support/fault-proxy';
import { type Person, PRICE } from '../support/marketplace';
import { moneyFacts } from '../support/money-facts';
import type { TestPlatform } from '../support/platform';
import { MONEY } from './money';
import {
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

type Ending = 'done' | 'undone' | 'declined' | 'refunded' | 'untold';

const ASKS_THE_BANK = 'pm_card_threeDSecure2Required';
const DECLINES = 'pm_card_visa_chargeDeclined';

const ROWS: Row<Ending>[] = [
  {
    ...{ step: 'charge', way: 'a card', runs: 'recorded', beforePivot: true },
    cells: { ...undoable, undoRefused: 'refunded' },
  },
  {
    ...{ step: 'charge', way: 'a card that declines', runs: 'recorded', beforePivot: true },
    cells: {
      dead: 'declined',
      deadAndCancelled: 'undone',
      answerLost: 'declined',
      hangs: 'declined',
      hangsAndCancelled: 'undone',
      refused: 'undone',
      undoRefused: 'declined',
    },
  },
  {
    ...{ step: 'refresh', way: '3-D Secure', runs: 'recorded', beforePivot: true },
    cells: {
      dead: 'done',
      deadAndCancelled: 'refunded',
      answerLost: 'done',
      hangs: 'done',
      hangsAndCancelled: 'refunded',
      refused: 'refunded',
      undoRefused: { impossible: 'it is undone with the charge' },
    },
  },
  { step: 'release-earnings', way: 'a card', runs: 'recorded', beforePivot: false, cells: forward },
  { step: 'paid', way: 'a card', call: 'paid/', calls: 2, runs: 'local', beforePivot: false, cells: notice },
];

const taken = { ...of(MONEY.captured), earningsDue: true };

const TRUTHS: Record<Ending, unknown> = {
  done: { ...taken, told: ['payment_receipt', 'payment_received'] },
  untold: { ...taken, told: [] },
  undone: { ...of(MONEY.none), payment: 'voided 0-0', told: [] },
  declined: { ...of(MONEY.declined), told: [] },
  refunded: { ...of(MONEY.refunded), told: [] },
};

const ANSWERS: Record<Ending, number[]> = {
  done: [201, 202],
  untold: [201, 202],
  undone: [409, 202],
  declined: [402, 202],
  // It was taken at first.
  refunded: [201, 202],
};

export const PAYMENTS: SagaTable<Ending> = {
  kind: 'payment',
  rows: ROWS,
  lastUndone: 'charge',
  truth: (ending) => TRUTHS[ending],
  answers: (ending) => ANSWERS[ending],
};

const CARDS: Record<string, string> = { 'a card that declines': DECLINES, '3-D Secure': ASKS_THE_BANK };

/** What is paid directly, always by the same person to the same tutor. */
export function payments(
  platform: TestPlatform,
  payer: Person,
  payee: Person,
): SagaUnderFaults & {
  /** One that is taken, for what comes after it. */
  paid(card: string): Promise<string>;
} {
  const inTurn = turns();

  /** Pays; whom the bank asks comes through. */
  const pay = (card: string, lay: (faults: SagaFaults) => void): Promise<Scene> =>
    inTurn(async () => {
      const faults = platform.proxy.next('payment');
      lay(faults);
      const body = {
        payeeId: payee.id,
        amount: { amount: PRICE, currency: 'EUR' },
        paymentMethodId: card,
        description: 'Two books',
      };
      const asked = platform.ask('POST', '/api/payments', { token: payer.token, key: uuidv7(), body });
      const id = await faults.id();
      return { workflowId: `payment:${id}`, id, asked: card === ASKS_THE_BANK ? asked.then(throughTheBank) : asked };
    });

  async function throughTheBank(reply: Awaited<Scene['asked']>): Promise<Awaited<Scene['asked']>> {
    const intent = String(reply.body.clientSecret).split('_secret_')[0];
    await platform.sandbox('POST', `/sandbox/3ds/${intent}/complete`);
    return reply;
  }

  return {
    async paid(card) {
      const { id, workflowId } = await pay(card, () => undefined);
      await platform.temporal.workflow.getHandle(workflowId).result();
      return id;
    },
    begin: ({ way }, lay) => pay(CARDS[way] ?? 'pm_card_visa', lay),
    async facts({ id, workflowId }) {
      const [money, told] = await Promise.all([moneyFacts(platform, id), toldBy(platform, workflowId)]);
      return { ...money, told };
    },
  };
}

function of({ payment, earningsDue, stripe, ledger }: (typeof MONEY)['none']) {
  return { payment, earningsDue, stripe, ledger };
}

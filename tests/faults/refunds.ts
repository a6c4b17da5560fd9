import { uuidv7 } from '../../platform/ids';
import type { SagaFaults } from '../support/fault-proxy';
import type { Marketplace, Person, Tutor } from '../support/marketplace';
import { moneyFacts } from '../support/money-facts';
import { haveRetried } from '../support/operator';
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
} from './saga-table';

type Ending = 'done' | 'untold';
type Way = 'a payment' | 'a booking' | 'a slow bank' | 'made again';

const must = (step: string, way: Way, more: Partial<Row<Ending>> = {}): Row<Ending> => ({
  ...{ step, way, runs: 'recorded', beforePivot: false, cells: forward },
  ...more,
});
const ROWS: Row<Ending>[] = [
  must('submit-1', 'a payment'),
  must('refresh', 'a slow bank'),
  must('record', 'a booking', { call: 'record/', runs: 'local' }),
  must('submit-2', 'made again', { asks: 'refund' }),
  must('succeeded-1', 'a payment', { runs: 'local', cells: notice }),
  must('close', 'a payment', { runs: 'local' }),
];

export const REFUNDS: SagaTable<Ending> = {
  kind: 'refund',
  rows: ROWS,
  truth(ending, { way }) {
    const { payment, stripe, ledger } = MONEY.refunded;
    return {
      refund: `succeeded ${way === 'made again' ? 2 : 1} succeeded`,
      ...{ payment, stripe, ledger },
      booking: way === 'a booking' ? 'refunded' : null,
      told: ending === 'untold' ? [] : ['refund_succeeded'],
    };
  },
  answers: (_, { way }) => (way === 'a booking' ? [200] : way === 'made again' ? [409, 201] : [201]),
};

interface Cast {
  /** Who books next: all plays begin at once. */
  nextStudent(): Person;
  tutor: Tutor;
  /** A payment to the tutor, with this card. */
  paid(card: string): Promise<string>;
}

/** All that was paid is given back: of direct payments by their payee, of bookings by the student's cancel. */
export function refunds(
  platform: TestPlatform,
  market: Marketplace,
  { nextStudent, tutor, paid }: Cast,
): SagaUnderFaults {
  const inTurn = turns();

  const ofPayment = async (card: string, lay: (faults: SagaFaults) => void): Promise<Scene> => {
    const paymentId = await paid(card);
    return begun(lay, () =>
      platform.ask('POST', `/api/payments/${paymentId}/refund`, {
        ...{ token: tutor.token, key: uuidv7() },
        body: { reason: 'A book was missing' },
      }),
    );
  };

  const ofBooking = async (lay: (faults: SagaFaults) => void): Promise<Scene> => {
    const student = nextStudent();
    const { body } = await market.book({ student, tutor });
    await market.untilBooking(body.id, 'confirmed');
    return begun(lay, () => market.cancelPatiently(student, body.id));
  };

  const begun = (lay: (faults: SagaFaults) => void, ask: () => Scene['asked']): Promise<Scene> =>
    inTurn(async () => {
      const faults = platform.proxy.next('refund');
      lay(faults);
      const asked = ask();
      const id = await faults.id();
      return { workflowId: `refund:${id}`, id, asked };
    });

  /** Stripe refuses the first try; an operator has it made again. */
  async function madeAgain(lay: (faults: SagaFaults) => void): Promise<Scene> {
    let letGo: () => unknown = () => undefined;
    const scene = await ofPayment('pm_card_visa', (faults) => {
      letGo = faults.on('submit-1', { kind: 'hold' }).release;
      lay(faults);
    });
    const match = { method: 'POST', idempotencyKey: `${scene.workflowId}/submit-1/1` };
    const fault = { kind: 'refuse_400', code: 'charge_disputed', match };
    expect((await platform.sandbox('POST', '/sandbox/faults', fault)).status).toBeLessThan(300);
    letGo();
    const again = haveRetried(platform, scene.workflowId, 'refund');
    return { ...scene, asked: again.then(() => scene.asked) };
  }

  return {
    begin({ way }, lay) {
      if (way === 'a booking') return ofBooking(lay);
      if (way === 'made again') return madeAgain(lay);
      return ofPayment(way === 'a slow bank' ? 'pm_card_pendingRefund' : 'pm_card_visa', lay);
    },
    async facts({ id, workflowId }) {
      const [row] = await platform.database('payment')<{ is: string; payment: string; booking: string | null }[]>`
        select r.status || ' ' || r.tries || ' ' || coalesce(r.closed_as, '') as is, p.id as payment, p.booking_id as booking
        from refunds r join payments p on p.id = r.payment_id where r.id = ${id}`;
      const { booking: bookingId = null, payment = '' } = row ?? {};
      // A direct payment's share is promised to its payee by its own saga, which may be at it still.
      const [{ earningsDue: _, ...money }, [booking], told] = await Promise.all([
        bookingId === null ? moneyFacts(platform, payment) : moneyFacts(platform, bookingId, 'bookingId'),
        platform.database('booking')<{ status: string }[]>`select status from bookings where id = ${bookingId}`,
        toldBy(platform, workflowId),
      ]);
      return { refund: row?.is, ...money, booking: booking?.status ?? null, told };
    },
  };
}

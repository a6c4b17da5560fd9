import type { OperatorAction } from '../../kernel/saga-type';
import { uuidv7 } from '../../platform/ids';
import type { Marketplace, Person, Tutor } from './marketplace';
import { eventually, type TestPlatform } from './platform';
import type { Reply } from './service';

/** Who is in the scenes: a student, a tutor who is booked at once, and one who must confirm. */
export interface Cast {
  student: Person;
  instant: Tutor;
  confirming: Tutor;
}

export type BookingScenes = ReturnType<typeof createBookingScenes>;

const ASKS_THE_BANK = 'pm_card_threeDSecure2Required';

/** Stripe's id of the payment that a booking waits for. */
export const intentOf = (booking: { payment: { clientSecret: string } }) =>
  String(booking.payment.clientSecret).split('_secret')[0] ?? '';

/** Where tests of bookings begin, on a whole running platform. */
export function createBookingScenes(
  platform: TestPlatform,
  market: Marketplace,
  { student, instant, confirming }: Cast,
) {
  const workflow = (id: string) => platform.temporal.workflow.getHandle(`booking:${id}`);
  const sagaState = async (id: string) => (await workflow(id).describe()).searchAttributes.SagaState?.[0];

  /** Lays a fault at the Stripe sandbox. */
  async function fault(body: object): Promise<void> {
    expect((await platform.sandbox('POST', '/sandbox/faults', body)).status).toBe(201);
  }

  return {
    workflow,
    sagaState,
    fault,

    /** The id of a booking that waits for its tutor's word. */
    async awaitingTutor(wish: { student?: Person; at?: string } = {}): Promise<string> {
      const reply = await market.book({ student, tutor: confirming, ...wish });
      expect([reply.status, reply.body.statusReason]).toEqual([201, 'awaiting_tutor']);
      return String(reply.body.id);
    },

    /** A booking that waits for the student's bank, and what it was asked for with. */
    async askedByBank(): Promise<{ id: string; intent: string; key: string; at: string }> {
      const key = uuidv7();
      const at = market.nextHour();
      const reply = await market.book({ student, tutor: instant, card: ASKS_THE_BANK, key, at });
      expect([reply.status, reply.body.statusReason, reply.body.payment.status]).toEqual([
        202,
        'awaiting_payment',
        'requires_action',
      ]);
      return { id: String(reply.body.id), intent: intentOf(reply.body), key, at };
    },

    /** The student comes through with the bank, or does not. */
    bank: (intent: string, verdict: 'complete' | 'fail') =>
      platform.sandbox('POST', `/sandbox/3ds/${intent}/${verdict}`),

    /** A booking whose refund saga was terminated while it was cancelled; an operator has to decide. */
    async cancelledAndTerminated(): Promise<{ id: string; cancelling: Promise<Reply> }> {
      const booked = await market.book({ student, tutor: instant });
      expect(booked.status).toBe(201);
      const id = String(booked.body.id);
      // Stripe makes no refunds for now.
      await fault({ kind: 'rate_limit_429', times: 1_000, match: { method: 'POST', path: '/v1/refunds' } });
      const cancelling = market.cancel(student, id);
      const refundId = await eventually('its refund is recorded', async () => {
        const [row] = await platform.database('payment')`
        select r.id from refunds r join payments p on p.id = r.payment_id where p.booking_id = ${id}`;
        return typeof row?.id === 'string' && row.id;
      });
      const refund = platform.temporal.workflow.getHandle(`refund:${refundId}`);
      await eventually('its saga runs', () =>
        refund.terminate('by hand').then(
          () => true,
          () => false,
        ),
      );
      await eventually('an operator is asked for', async () => (await sagaState(id)) === 'NeedsAttention');
      return { id, cancelling };
    },

    /** An operator's answer to a booking that asks for one. */
    resolve: (id: string, action: OperatorAction) =>
      workflow(id).executeUpdate('resolve', { args: [{ action, noteId: null }] }),
  };
}

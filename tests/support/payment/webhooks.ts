import Stripe from 'stripe';
import type { BookingCharge } from './bookings';
import { CONNECT_WEBHOOK_SECRET, type PaymentStack, until, WEBHOOK_SECRET } from './stack';

const { webhooks } = new Stripe('sk_test_forger');

/** Events as Stripe sends them, and what has come of them. */
export function webhooksAt(stackOf: () => PaymentStack) {
  /** Waits until every webhook of Stripe's has been answered. */
  const quiet = (withinMs?: number) => until(async () => (await stackOf().state()).pending_webhooks === 0, withinMs);

  async function intentOf({ bookingId }: BookingCharge): Promise<string> {
    const { payment_intents: intents } = await stackOf().state();
    const mine = intents.find(
      (intent: { metadata: { bookingId?: string } }) => intent.metadata.bookingId === bookingId,
    );
    return mine.id;
  }

  async function complete(booking: BookingCharge): Promise<void> {
    await stackOf().control('POST', `/3ds/${await intentOf(booking)}/complete`);
  }

  async function stateOf(paymentId: string) {
    return (await stackOf().service.internal('GET', `/internal/payments/${paymentId}`)).body;
  }

  /** An event, or any other text, as Stripe would sign and send it: one of a connected account for Connect. */
  function deliver(
    event: Record<string, unknown> | string,
    signing: { secret?: string; timestamp?: number; payload?: string } = {},
  ) {
    const payload = typeof event === 'string' ? event : JSON.stringify(event);
    const ownSecret = typeof event !== 'string' && event.account ? CONNECT_WEBHOOK_SECRET : WEBHOOK_SECRET;
    const signature = webhooks.generateTestHeaderString({
      payload,
      secret: signing.secret ?? ownSecret,
      ...(signing.timestamp !== undefined && { timestamp: signing.timestamp }),
    });
    return stackOf().service.ask('POST', '/api/stripe/webhooks', {
      raw: signing.payload ?? payload,
      headers: { 'stripe-signature': signature },
    });
  }

  let counter = 0;
  function event(type: string, object: Record<string, unknown>, more: Record<string, unknown> = {}) {
    return {
      id: `evt_test_${++counter}`,
      object: 'event',
      type,
      created: Math.floor(Date.now() / 1_000),
      api_version: '2026-10-28.endive',
      livemode: false,
      data: { object },
      ...more,
    };
  }

  async function logged(eventId: string) {
    const [row] = await stackOf().service.database.sql`select * from stripe_webhooks_log where event_id = ${eventId}`;
    return row;
  }

  /** How often Stripe was asked about an intent. */
  async function asked(intentId: string): Promise<number> {
    const { requests } = (await stackOf().control('GET', '/requests?limit=1000')).body;
    return requests.filter(({ path }: { path: string }) => path === `/v1/payment_intents/${intentId}`).length;
  }

  return { quiet, intentOf, complete, stateOf, deliver, event, logged, asked };
}

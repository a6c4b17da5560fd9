import { z } from 'zod';
import { ProblemError } from '../../../kernel/errors';
import { listCursor } from '../../../platform/cursor';
import type { Service } from '../../../platform/http-server';
import { ok } from '../../../platform/replies';
import type { Sagas } from '../../../platform/temporal';
import { paymentContract as contract, type StripeWebhook } from '../contract';
import { actOnDispute, isOfDispute } from '../disputes/sagas';
import { actOnPayouts, isOfPayout } from '../payouts/sagas';
import type { StripeEvent } from '../stripe/answers';
import type { Till } from '../till';
import { listEvents, markEventProcessed, noteEvent, readEvent, type WebhookRow } from '../webhooks/store';
import { act, countConnect, isOfPayment, mayBeOfPayment } from '../webhooks/webhooks';

/** The cursor of the page of the log that ends with this event. */
const logCursor = listCursor(z.string());

/**
 * Where Stripe tells of changes, of the platform's own account and, under another secret, of connected accounts; and the log of it, where an
 * operator has an event acted on that was lost on the way.
 */
export function serveWebhook(service: Service, till: Till, sagas: Sagas): void {
  const { db } = till;

  service.serve(contract.stripeWebhook, async ({ rawBody, headers }) => {
    const event = till.stripe.readEvent(rawBody, headers['stripe-signature']);
    if (event.account) await countConnect(db, event.account);
    // An event that was noted and not acted on, because of a crash in between, is acted on when it comes again.
    const received = await noteEvent(db, event, isOfPayout(event) || isOfDispute(event) || isOfPayment(event));
    if (received !== 'processed') await actOn(event, received === 'again');
    return ok({ received: true as const });
  });

  service.serve(contract.listStripeWebhooks, async ({ query: { cursor, limit, processed } }) => {
    const before = cursor === undefined ? undefined : logCursor.read(cursor);
    const found = await listEvents(db, { processed, before, limit: limit + 1 });
    const items = found.slice(0, limit);
    const last = found.length > limit ? items.at(-1) : undefined;
    return ok({ items: items.map(shown), nextCursor: last ? logCursor.write(last.eventId) : null });
  });

  service.serve(contract.replayStripeWebhook, async ({ params: { eventId } }) => {
    const { type, createdAt, account, objectId, intentId } = await readEvent(db, eventId);
    const event = { ...{ id: eventId, type, createdAt, account, objectId }, intentId: intentId ?? intentIn(objectId) };
    if (mayBeOfPayment(event) && event.intentId === null)
      throw new ProblemError(
        'invalid_state',
        'It was noted without its payment: have it sent again in the dashboard of Stripe',
      );
    await actOn(event, true);
    return ok(shown(await readEvent(db, eventId)));
  });

  /** `again`: how far it got before is unknown. */
  async function actOn(event: StripeEvent, again: boolean): Promise<void> {
    if (isOfPayout(event)) await actOnPayouts(till, sagas, event, { again });
    else if (isOfDispute(event)) await actOnDispute(till, sagas, event, { again });
    else if (isOfPayment(event)) await act(till, sagas, event, { again });
    await markEventProcessed(db, event.id);
  }
}

/** An event that a service of before noted names its payment only where it is about that itself. */
function intentIn(objectId: string | null): string | null {
  return objectId?.startsWith('pi_') ? objectId : null;
}

function shown({ eventId, type, objectId, account, deliveries, ...row }: WebhookRow): StripeWebhook {
  return {
    ...{ eventId, type, objectId, account, deliveries },
    createdAt: row.createdAt.toISOString(),
    receivedAt: row.receivedAt.toISOString(),
    processedAt: row.processedAt?.toISOString() ?? null,
  };
}

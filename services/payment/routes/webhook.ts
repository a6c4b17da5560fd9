import type { Service } from '../../../platform/http-server';
import { ok } from '../../../platform/replies';
import type { Sagas } from '../../../platform/temporal';
import { paymentContract as contract } from '../contract';
import { actOnPayouts, isOfPayout } from '../payouts/sagas';
import type { Till } from '../till';
import { markEventProcessed, noteEvent } from '../webhooks/store';
import { act, countConnect, isOfPayment } from '../webhooks/webhooks';

/** Where Stripe tells of changes: of the platform's own account and, under another secret, of connected accounts. */
export function serveWebhook(service: Service, till: Till, sagas: Sagas): void {
  service.serve(contract.stripeWebhook, async ({ rawBody, headers }) => {
    const event = till.stripe.readEvent(rawBody, headers['stripe-signature']);
    if (event.account) await countConnect(till.db, event.account);
    // An event that was noted and not acted on, because of a crash in between, is acted on when it comes again.
    const ofPayout = isOfPayout(event);
    const received = await noteEvent(till.db, event, ofPayout || isOfPayment(event));
    if (received !== 'processed') {
      const again = received === 'again';
      if (ofPayout) await actOnPayouts(till, sagas, event, { again });
      else if (isOfPayment(event)) await act(till, sagas, event, { again });
      await markEventProcessed(till.db, event.id);
    }
    return ok({ received: true as const });
  });
}

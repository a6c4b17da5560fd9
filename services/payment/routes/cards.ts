import type { ResultOf } from '../../../platform/endpoint';
import type { Service } from '../../../platform/http-server';
import { clientRequest } from '../../../platform/idempotency';
import { created, done, ok } from '../../../platform/replies';
import { removeCard, savedCards, setUpCard } from '../cards/card';
import { paymentContract as contract } from '../contract';
import type { Till } from '../till';

/** By what a page gives cards to Stripe, and what students do with those that they keep there. */
export function serveCards(service: Service, till: Till, forPages: ResultOf<typeof contract.getStripeConfig>): void {
  service.serve(contract.getStripeConfig, async () => ok(forPages));

  service.serve(contract.listSavedCards, async ({ user }) => {
    const cards = await savedCards(till, user.id);
    return ok({ items: cards.map((card) => ({ ...card, createdAt: card.createdAt.toISOString() })) });
  });

  service.serve(contract.setUpCard, async (call) => {
    const request = clientRequest(call, '/api/payment-methods/setup');
    return created({ clientSecret: await setUpCard(till, request, call.user.id) });
  });

  service.serve(contract.removeSavedCard, async ({ user, params }) => {
    await removeCard(till, user.id, params.id);
    return done;
  });
}

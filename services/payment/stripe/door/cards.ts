import type Stripe from 'stripe';
import type { SavedCard } from '../answers';
import { type Asking, isAnyAnswer, isGone } from './asking';
import { ON_THE_PAGE } from './intents';

/** The calls about cards that customers keep (docs.stripe.com/payments/save-and-reuse). */
export function cardCalls(stripe: Stripe, { answerOf, reading }: Asking) {
  return {
    /** Begins to keep a card for a customer, who will be there when it pays. @returns the secret that the page confirms it with */
    createSetup: (key: string, customerId: string) =>
      answerOf('createSetup', isGone, async () => {
        const { client_secret: secret } = await stripe.setupIntents.create(
          {
            customer: customerId,
            usage: 'on_session',
            allowed_payment_method_types: ['card'],
            automatic_payment_methods: ON_THE_PAGE,
          },
          { idempotencyKey: key },
        );
        if (secret === null) throw new Error('Stripe made a setup that no page can confirm');
        return secret;
      }),

    /** The cards of a customer, the newest first; null for a customer that is gone. */
    listCards: (customerId: string) =>
      reading('listCards', async () => {
        const found: SavedCard[] = [];
        const list = stripe.customers.listPaymentMethods(customerId, { type: 'card', limit: 100 });
        for await (const method of list) found.push(...savedCard(method));
        return found;
      }),

    /** The customer who keeps a card; null for a card that is nobody's, or is not there. */
    ownerOfCard: (id: string) =>
      reading('ownerOfCard', async () => {
        const { customer } = await stripe.paymentMethods.retrieve(id);
        return typeof customer === 'string' ? customer : (customer?.id ?? null);
      }),

    /** Takes a card from its customer for good. @returns its id; null for a card that nobody keeps (any more) */
    detachCard: (id: string) =>
      // That nobody keeps it Stripe says without a code.
      reading('detachCard', async () => (await stripe.paymentMethods.detach(id)).id, isAnyAnswer),
  };
}

/** Only what people are shown goes on: billing details and the fingerprint of the number stay at Stripe. */
function savedCard({ id, card, created }: Stripe.PaymentMethod): SavedCard[] {
  if (!card) return [];
  const { brand, last4, exp_month: expMonth, exp_year: expYear } = card;
  return [{ id, brand, last4, expMonth, expYear, createdAt: new Date(created * 1_000) }];
}

import { z } from 'zod';
import { endpoint } from '../../../platform/endpoint';
import { InstantOut, PaymentMethodId } from '../../../platform/schemas';

// What people are promised of the cards that Stripe keeps for them, and pages of how to reach Stripe. No number of a card comes here.

const StripeConfig = z
  .strictObject({
    publishableKey: z.string().meta({ description: 'For `Stripe(publishableKey)`; no secret' }),
    scriptUrl: z.url().meta({ description: "Where Stripe's own library is loaded from" }),
  })
  .meta({ id: 'StripeConfig' });

const SavedCard = z
  .strictObject({
    id: PaymentMethodId.meta({ description: 'The `paymentMethodId` of a booking or payment' }),
    brand: z.string().meta({ description: "In Stripe's word, such as `visa`" }),
    last4: z.string().meta({ description: 'The last four digits of its number' }),
    expMonth: z.int(),
    expYear: z.int(),
    createdAt: InstantOut,
  })
  .meta({ id: 'SavedCard' });

const CardParams = z.strictObject({ id: PaymentMethodId });

/** The public operations of cards. */
export const cardOperations = {
  getStripeConfig: endpoint({
    method: 'get',
    path: '/api/stripe/config',
    operationId: 'getStripeConfig',
    summary: 'By what a page gives cards to Stripe',
    access: 'anonymous',
    replies: { 200: StripeConfig },
  }),
  listSavedCards: endpoint({
    method: 'get',
    path: '/api/payment-methods',
    operationId: 'listSavedCards',
    summary: 'Your saved cards, the newest first',
    description: 'All of them, as Stripe has them at this moment. Of a tutor those that they saved as a student.',
    access: ['student', 'tutor'],
    reaches: ['stripe'],
    replies: { 200: z.strictObject({ items: z.array(SavedCard) }).meta({ id: 'SavedCardList' }) },
  }),
  setUpCard: endpoint({
    method: 'post',
    path: '/api/payment-methods/setup',
    operationId: 'setUpCard',
    summary: 'Begin to save a card',
    description:
      'The page confirms the `clientSecret` with Stripe’s own library, and the card is saved. 409 `invalid_state` with Retry-After while your account is still being set up.',
    access: ['student'],
    idempotency: 'required',
    reaches: ['stripe'],
    replies: {
      201: z
        .strictObject({ clientSecret: z.string().meta({ description: "A SetupIntent's, for payments that you make" }) })
        .meta({ id: 'CardSetup' }),
    },
    errors: ['invalid_state'],
  }),
  removeSavedCard: endpoint({
    method: 'delete',
    path: '/api/payment-methods/{id}',
    operationId: 'removeSavedCard',
    summary: 'Forget a saved card',
    description:
      'It can never be charged again. What it has authorised can still be taken, and what it paid be given back. 404 for a card that was removed before.',
    access: ['student', 'tutor'],
    idempotency: 'none',
    reaches: ['stripe'],
    params: CardParams,
    replies: { 204: null },
  }),
} as const;

import Stripe from 'stripe';
import type { TestPlatform } from './platform';

/** A webhook that says, as if from Stripe, that this payment intent succeeded; how somebody could sign it, and the way to the gateway. */
export function forgedWebhook(platform: TestPlatform, intent: string) {
  const payload = JSON.stringify({
    id: 'evt_forged',
    object: 'event',
    type: 'payment_intent.succeeded',
    created: Math.floor(Date.now() / 1_000),
    data: { object: { id: intent, object: 'payment_intent', status: 'succeeded' } },
  });
  const stripe = new Stripe('sk_test_unused');
  return {
    payload,
    /** The signature of the payload: with the platform's own secret and of now, unless `options` say otherwise. */
    sign: (options: { secret?: string; timestamp?: number }) =>
      stripe.webhooks.generateTestHeaderString({ payload, secret: platform.webhookSecret, ...options }),
    deliver: (signature: string, raw = payload) =>
      platform.ask('POST', '/api/stripe/webhooks', {
        raw,
        headers: { 'stripe-signature': signature, 'content-type': 'application/json' },
      }),
  };
}

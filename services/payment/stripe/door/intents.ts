import type Stripe from 'stripe';
import { toStripe } from '../../../../kernel/currencies';
import { shownAtStripe } from '../../charges/rules';
import type { Intent, IntentParams } from '../answers';
import { type Asking, isGone, isNoAnswer, madeSince } from './asking';
import { intentOf, paymentOf } from './words';

const WITH_MOVEMENT = ['latest_charge.balance_transaction'];

/** The calls that take money. */
export function intentCalls(stripe: Stripe, { answerOf, reading }: Asking) {
  return {
    /**
     * Creates and confirms in one call. The payer is present, so the bank may ask for 3-D Secure (no `off_session`).
     * A customer does not make the card theirs: nothing is attached or kept for later.
     */
    createIntent: (key: string, params: IntentParams) =>
      answerOf('createIntent', isNoAnswer, async () =>
        intentOf(
          await stripe.paymentIntents.create(
            {
              ...intentBasics(params),
              payment_method: params.paymentMethodId,
              capture_method: params.capture,
              confirm: true,
              expand: WITH_MOVEMENT,
            },
            { idempotencyKey: key },
          ),
        ),
      ),

    /**
     * Takes the key of a request whose fate is unknown, by something harmless: an intent that is not confirmed. If this
     * comes first, the request can no longer take effect (Stripe refuses the key with its parameters); `key_used` says
     * that it did come first, and can be found.
     */
    claimIntentKey: (key: string, params: IntentParams) =>
      answerOf('claimIntentKey', isNoAnswer, async () => {
        const inert = await stripe.paymentIntents.create(
          { ...intentBasics(params), metadata: { ...intentBasics(params).metadata, inert: 'true' } },
          { idempotencyKey: key },
        );
        await stripe.paymentIntents
          .cancel(inert.id, {}, { idempotencyKey: `${inert.id}/inert` })
          .catch(() => undefined);
      }),

    captureIntent: (key: string, id: string) =>
      answerOf('captureIntent', isOver, async () =>
        intentOf(await stripe.paymentIntents.capture(id, { expand: WITH_MOVEMENT }, { idempotencyKey: key })),
      ),

    cancelIntent: (key: string, id: string) =>
      answerOf('cancelIntent', isOver, async () =>
        intentOf(await stripe.paymentIntents.cancel(id, { expand: WITH_MOVEMENT }, { idempotencyKey: key })),
      ),

    /** @returns null when Stripe has no such intent. @throws ProblemError rate_limited, upstream_unavailable */
    retrieveIntent: (id: string) =>
      reading('retrieveIntent', async () =>
        intentOf(await stripe.paymentIntents.retrieve(id, { expand: WITH_MOVEMENT })),
      ),

    /** All intents of a payment. By list, because Stripe's search lags behind by up to a minute. */
    findIntents: ({ paymentId, customerId }: IntentParams, since: Date) =>
      reading('findIntents', async () => {
        const found: Intent[] = [];
        const list = stripe.paymentIntents.list({
          ...madeSince(since),
          ...(customerId && { customer: customerId }),
          limit: 100,
          expand: WITH_MOVEMENT.map((path) => `data.${path}`),
        });
        for await (const intent of list) if (paymentOf(intent) === paymentId) found.push(intentOf(intent));
        return found;
      }).then((found) => found ?? []),
  };
}

/** The intent is in no state for it: it was cancelled, captured or has lapsed. */
const isOver = (code: string) =>
  isGone(code) || code === 'payment_intent_unexpected_state' || code === 'charge_expired_for_capture';

/**
 * Methods that work without leaving the page: no `return_url` exists on a server-side confirmation, and 3-D Secure is shown
 * by Stripe's own library. Naming cards here (`payment_method_types`) is what this API version no longer takes; the
 * account's settings do it, and manual capture leaves out by itself what cannot be captured later.
 */
export const ON_THE_PAGE = { enabled: true, allow_redirects: 'never' } as const;

function intentBasics({ paymentId, subject, amount, customerId }: IntentParams) {
  return {
    amount: toStripe(amount),
    currency: amount.currency.toLowerCase(),
    ...(customerId && { customer: customerId }),
    automatic_payment_methods: ON_THE_PAGE,
    ...shownAtStripe(paymentId, subject),
  };
}

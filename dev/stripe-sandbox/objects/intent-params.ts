/** What PaymentIntents and SetupIntents ask of their parameters alike. */
import type Stripe from 'stripe';
import { z } from 'zod';
import { badParameter, refused } from '../memory/errors';
import { choice, flag, text } from '../wire/form';
import { idOf } from './charges';

/** Which of the two an endpoint is about, as Stripe's messages have it. */
type Noun = 'PaymentIntent' | 'SetupIntent';

/** Which ways to pay an intent allows. */
export const methodTypes = {
  allowed_payment_method_types: z.array(text()).nonempty().optional(),
  /** Refused by its own code since 2026-09-30.endive, see https://docs.stripe.com/changelog */
  payment_method_types: z.unknown().optional(),
};

/** Whether the Dashboard's methods are offered, and those that send the customer elsewhere. */
export const automaticMethods = z
  .strictObject({ enabled: flag(), allow_redirects: choice('always', 'never').optional() })
  .optional();

/** Where the customer comes back to. */
export const returnUrl = z.url({ protocol: /^https?$/, error: 'Not a valid URL' }).optional();

/** Where the bank sends the customer back to: nowhere if Stripe.js is to show its page. */
export function wayBack(params: { return_url?: string | undefined; use_stripe_sdk?: boolean | undefined }) {
  return params.use_stripe_sdk ? undefined : params.return_url;
}

interface MethodTypes {
  allowed_payment_method_types?: string[] | undefined;
  payment_method_types?: unknown;
}

/**
 * The sandbox takes cards. Types it does not know are filtered out, as Stripe does with incompatible ones.
 * @throws StripeProblem `payment_method_types_no_longer_supported`, or 400 where cards are not allowed
 */
export function requireCards(params: MethodTypes): void {
  if (params.payment_method_types !== undefined) {
    throw badParameter(
      'The payment_method_types parameter is no longer supported. Use allowed_payment_method_types or dynamic payment methods instead.',
      'payment_method_types',
      'payment_method_types_no_longer_supported',
    );
  }
  if (params.allowed_payment_method_types?.includes('card') === false) {
    throw badParameter('None of the allowed payment method types can be used.', 'allowed_payment_method_types');
  }
}

/** Dashboard-managed methods are the default since 2023-08-16. */
export function automaticMethodsOf(asked: z.output<typeof automaticMethods>) {
  if (asked?.enabled === false) return null;
  return { allow_redirects: asked?.allow_redirects ?? 'always', enabled: true };
}

interface Intent {
  automatic_payment_methods: { allow_redirects?: string } | null;
  customer: Stripe.SetupIntent['customer'];
}

/** @throws StripeProblem if some way to pay may need a return URL and there is none */
export function requireReturnUrl(noun: Noun, intent: Intent, given: string | undefined): void {
  if (intent.automatic_payment_methods?.allow_redirects !== 'always' || given !== undefined) return;
  throw refused(
    `This ${noun} is configured to accept payment methods enabled in your Dashboard. Because some of these payment methods might redirect your customer off of your page, you must provide a \`return_url\`. If you don't want to accept redirect-based payment methods, set \`automatic_payment_methods[enabled]\` to \`true\` and \`automatic_payment_methods[allow_redirects]\` to \`never\` when creating Setup Intents and Payment Intents.`,
  );
}

/** @throws StripeProblem for a payment method that is somebody else's */
export function requireSameCustomer(noun: Noun, intent: Intent, method: Stripe.PaymentMethod): void {
  if (method.customer === null || method.customer === intent.customer) return;
  throw refused(
    intent.customer === null
      ? `The payment method ${method.id} belongs to the Customer ${idOf(method.customer)}. Please include the Customer in the \`customer\` parameter on the ${noun}.`
      : `The payment method ${method.id} does not belong to the Customer of this ${noun} (${idOf(intent.customer)}).`,
    { param: 'payment_method' },
  );
}

/** Why an intent cannot be confirmed that has nothing to be confirmed with. */
export function missingMethod(noun: Noun): string {
  return `You cannot confirm this ${noun} because it's missing a payment method. You can either update the ${noun} with a payment method and then confirm it again, or confirm it again directly with a payment method or ConfirmationToken.`;
}

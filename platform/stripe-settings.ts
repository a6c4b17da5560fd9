/** The settings of Stripe, as far as they are given. */
interface StripeSettings {
  NODE_ENV: string;
  STRIPE_SECRET_KEY?: string | undefined;
  STRIPE_PUBLISHABLE_KEY?: string | undefined;
  STRIPE_API_BASE?: string | undefined;
  STRIPE_SCRIPT_URL?: string | undefined;
  STRIPE_WEBHOOK_SECRET?: string | undefined;
  STRIPE_CONNECT_WEBHOOK_SECRET?: string | undefined;
  STRIPE_SANDBOX_PORT: number;
}

/** The sandbox takes any key of Stripe's test mode. */
const SANDBOX_KEY = 'sk_test_sandbox';
const SANDBOX_PUBLISHABLE_KEY = 'pk_test_sandbox';

/** The release of Stripe.js that belongs to the version of the API that payment speaks (docs.stripe.com/sdks/stripejs-versioning). */
const SCRIPT_URL = 'https://js.stripe.com/endive/stripe.js';

/** Behind its kind a key of Stripe says its mode: `sk_live_…`, `pk_test_…`. */
const modeOf = (key: string) => key.split('_')[1];

/** What is wrong with these settings, a sentence each, without a value of any. */
export function stripeFaults(settings: StripeSettings): string[] {
  const { STRIPE_WEBHOOK_SECRET: platform, STRIPE_CONNECT_WEBHOOK_SECRET: connect } = settings;
  const faults = keyFaults(settings);
  // Under one secret an event of a connected account could pass for one of the platform's own.
  if (platform !== undefined && platform === connect)
    faults.push('STRIPE_CONNECT_WEBHOOK_SECRET must not be the same as STRIPE_WEBHOOK_SECRET');
  if (settings.NODE_ENV === 'production' && platform !== undefined && connect === undefined)
    faults.push(
      "STRIPE_CONNECT_WEBHOOK_SECRET is missing: set it to the signing secret of the endpoint for connected accounts' events",
    );
  return faults;
}

/** A card that a page gives to one account or mode cannot be charged in another. */
function keyFaults({ STRIPE_SECRET_KEY: secret, STRIPE_PUBLISHABLE_KEY: publishable }: StripeSettings): string[] {
  if (publishable === undefined) {
    if (secret === undefined) return [];
    return [
      'STRIPE_PUBLISHABLE_KEY is missing: set it to the publishable key (pk_…) that belongs to STRIPE_SECRET_KEY',
    ];
  }
  if (modeOf(publishable) === modeOf(secret ?? SANDBOX_KEY)) return [];
  return ['STRIPE_PUBLISHABLE_KEY must be of the same mode, live or test, as STRIPE_SECRET_KEY'];
}

/** The settings of Stripe with what stands for those that are not given: Stripe itself where there is a key of it, else the sandbox. */
export function completeStripe(given: StripeSettings) {
  const { STRIPE_SECRET_KEY: secret, STRIPE_API_BASE: base } = given;
  const sandbox = base ?? `http://127.0.0.1:${given.STRIPE_SANDBOX_PORT}`;
  return {
    STRIPE_SECRET_KEY: secret ?? SANDBOX_KEY,
    STRIPE_PUBLISHABLE_KEY: given.STRIPE_PUBLISHABLE_KEY ?? SANDBOX_PUBLISHABLE_KEY,
    STRIPE_API_BASE: base ?? (secret ? undefined : sandbox),
    STRIPE_SCRIPT_URL: given.STRIPE_SCRIPT_URL ?? (secret ? SCRIPT_URL : new URL('/stripe.js', sandbox).href),
  };
}

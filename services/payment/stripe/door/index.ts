import Stripe from 'stripe';
import { ProblemError } from '../../../../kernel/errors';
import type { Config } from '../../../../platform/config';
import type { Logger } from '../../../../platform/telemetry';
import type { StripeEvent } from '../answers';
import { eventOf } from '../event';
import { endpointsSigned, type Verify } from '../signature';
import { accountCalls } from './accounts';
import { asking } from './asking';
import { cardCalls } from './cards';
import { disputeCalls } from './disputes';
import { intentCalls } from './intents';
import { payoutCalls } from './payouts';
import { refundCalls } from './refunds';

/** The one door to Stripe: every call of it, and what each of its answers means for us. Amounts are counted as Stripe does beyond it. */

/** The shapes that these files know are those of this version of Stripe's API; the SDK's types are written for it too. */
const API_VERSION = '2026-10-28.endive';
/** One request. Three of them fit into the time an operation has (`client.ts`); Stripe answers most in under a second. */
const REQUEST_TIMEOUT_MS = 8_000;

export type { IntentParams } from '../answers';
export { stripeIsAway } from './asking';
/** Every call of Stripe that the service makes. */
export type StripeDoor = ReturnType<typeof createStripe>;

/**
 * Opens the door to Stripe. Nothing is sent before the first call; `timeoutMs` is how long one request may take. Functions that
 * have an effect answer with what came of it; those that only read throw ProblemError rate_limited or upstream_unavailable. All
 * throw Error, and send nothing, for a caller who does not say that it reaches Stripe (`platform/vendors.ts`).
 * A request that Stripe calls invalid is logged as an error and counted: it is a fault of ours.
 */
export function createStripe(config: Config, logger: Logger, timeoutMs = REQUEST_TIMEOUT_MS) {
  const base = config.STRIPE_API_BASE ? new URL(config.STRIPE_API_BASE) : undefined;
  const stripe = new Stripe(config.STRIPE_SECRET_KEY, {
    apiVersion: API_VERSION,
    // Temporal retries, with a look-up in between; retries of the SDK would multiply them.
    maxNetworkRetries: 0,
    timeout: timeoutMs,
    telemetry: false,
    appInfo: { name: 'TutorConnect' },
    ...(base && {
      host: base.hostname,
      port: base.port || (base.protocol === 'https:' ? 443 : 80),
      protocol: base.protocol === 'https:' ? 'https' : 'http',
    }),
  });

  const by = asking(logger);
  const secrets = { platform: config.STRIPE_WEBHOOK_SECRET, connect: config.STRIPE_CONNECT_WEBHOOK_SECRET };
  const verify: Verify = (...signed) => stripe.webhooks.signature?.verifyHeader(...signed) ?? false;

  return {
    ...intentCalls(stripe, by),
    ...refundCalls(stripe, by),
    ...accountCalls(stripe, by),
    ...cardCalls(stripe, by),
    ...payoutCalls(stripe, by),
    ...disputeCalls(stripe, by),

    /**
     * An event counts under the secret of its own endpoint alone: with an account under that of Connect, else under the platform's.
     * @throws ProblemError invalid_signature: not Stripe's, altered, signed for the other endpoint, or more than five minutes ago
     * or ahead of now; malformed_body: signed, and yet no event of Stripe's
     */
    readEvent(rawBody: Buffer, signature: string | string[] | undefined): StripeEvent {
      const header = Array.isArray(signature) ? signature.join(',') : (signature ?? '');
      const signed = endpointsSigned(verify, { rawBody, header }, secrets);
      if (signed.length === 0) throw new ProblemError('invalid_signature');
      const event = eventOf(rawBody);
      if (!signed.includes(event.account === null ? 'platform' : 'connect'))
        throw new ProblemError('invalid_signature');
      return event;
    },
  };
}

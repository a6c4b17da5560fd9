import Stripe from 'stripe';
import { fromStripe, toStripe } from '../../../kernel/currencies';
import { ProblemError } from '../../../kernel/errors';
import type { Money } from '../../../kernel/money';
import type { Config } from '../../../platform/config';
import { counter, type Logger } from '../../../platform/telemetry';
import { requireVendor } from '../../../platform/vendors';
import { shownAtStripe } from '../charges/rules';
import type { Answer, Intent, IntentParams, Movement, StripeEvent, StripeRefund } from './answers';
import { eventOf } from './event';
import { endpointsSigned, type Verify } from './signature';

/** The one door to Stripe: every call of it, and what each of its answers means for us. Amounts are counted as Stripe does beyond it. */

/** Shapes below are those of this version of Stripe's API; the SDK's types are written for it too. */
const API_VERSION = '2026-10-28.endive';
/** One request. Three of them fit into the time an operation has (`client.ts`); Stripe answers most in under a second. */
const REQUEST_TIMEOUT_MS = 8_000;
/** Look-ups by time start this much before the request was noted, in case the clocks differ. */
const CLOCK_SKEW_SECONDS = 300;
const WITH_MOVEMENT = ['latest_charge.balance_transaction'];

export type { IntentParams } from './answers';
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

  const { answerOf, reading } = asking(logger);
  const secrets = { platform: config.STRIPE_WEBHOOK_SECRET, connect: config.STRIPE_CONNECT_WEBHOOK_SECRET };
  const verify: Verify = (...signed) => stripe.webhooks.signature?.verifyHeader(...signed) ?? false;

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
          created: { gte: seconds(since) - CLOCK_SKEW_SECONDS },
          ...(customerId && { customer: customerId }),
          limit: 100,
          expand: WITH_MOVEMENT.map((path) => `data.${path}`),
        });
        for await (const intent of list) if (paymentOf(intent) === paymentId) found.push(intentOf(intent));
        return found;
      }).then((found) => found ?? []),

    createRefund: (
      key: string,
      params: { intentId: string; amount: Money; paymentId: string; refundId: string | null },
    ) =>
      // Stripe has many reasons not to refund, some without a code: each is an outcome, which a person or an operator sees.
      answerOf('createRefund', isAnyAnswer, async () =>
        refundOf(
          await stripe.refunds.create(
            {
              payment_intent: params.intentId,
              amount: toStripe(params.amount),
              metadata: { paymentId: params.paymentId, ...(params.refundId && { refundId: params.refundId }) },
              expand: ['balance_transaction'],
            },
            { idempotencyKey: key },
          ),
        ),
      ),

    /** All refunds of an intent, the newest first. */
    listRefunds: (intentId: string) =>
      reading('listRefunds', async () => {
        const found: StripeRefund[] = [];
        const list = stripe.refunds.list({
          payment_intent: intentId,
          limit: 100,
          expand: ['data.balance_transaction'],
        });
        for await (const refund of list) {
          const { failure_balance_transaction: back } = refund;
          const reversal = typeof back === 'string' ? await stripe.balanceTransactions.retrieve(back) : back;
          found.push({ ...refundOf(refund), reversal: movementOf(reversal) });
        }
        return found;
      }).then((found) => found ?? []),

    /** A customer for a student, a connected account for a tutor: somebody we may transfer to. @returns its id */
    createAccount: (key: string, who: { userId: string; role: 'student' | 'tutor'; email: string; name: string }) =>
      answerOf('createAccount', isTheirDetails, async () => {
        const metadata = { userId: who.userId };
        const options = { idempotencyKey: key };
        const { id } =
          who.role === 'student'
            ? await stripe.customers.create({ email: who.email, name: who.name, metadata }, options)
            : await stripe.accounts.create({ ...CONNECTED, email: who.email, metadata }, options);
        return id;
      }),

    /** As `claimIntentKey`, for an account: one without any personal data, which is found and deleted like the real one. */
    claimAccountKey: (key: string, who: { userId: string; role: 'student' | 'tutor' }) =>
      answerOf('claimAccountKey', isNoAnswer, async () => {
        const metadata = { userId: who.userId };
        const options = { idempotencyKey: key };
        if (who.role === 'student') await stripe.customers.create({ metadata }, options);
        else await stripe.accounts.create({ ...CONNECTED, metadata }, options);
      }),

    /** The ids of all accounts made for a user. */
    findAccounts: (who: { userId: string; role: 'student' | 'tutor' }, since: Date) =>
      reading('findAccounts', async () => {
        const params = { created: { gte: seconds(since) - CLOCK_SKEW_SECONDS }, limit: 100 };
        const found: string[] = [];
        const list = who.role === 'student' ? stripe.customers.list(params) : stripe.accounts.list(params);
        for await (const { id, metadata } of list) if (metadata?.userId === who.userId) found.push(id);
        return found;
      }).then((found) => found ?? []),

    /** Deletes a customer or connected account; one that is gone already counts as deleted. */
    deleteAccount: async (id: string) => {
      await reading('deleteAccount', async () =>
        id.startsWith('cus_') ? await stripe.customers.del(id) : await stripe.accounts.del(id),
      );
    },

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

/**
 * A tutor's account: Stripe collects what the law wants to know of them and shows them its Express dashboard; fees and
 * losses are the platform's, which charges by itself and transfers (docs.stripe.com/connect/separate-charges-and-transfers).
 */
const CONNECTED = {
  capabilities: { transfers: { requested: true } },
  controller: {
    fees: { payer: 'application' },
    losses: { payments: 'application' },
    stripe_dashboard: { type: 'express' },
  },
} as const satisfies Stripe.AccountCreateParams;

/**
 * Methods that work without leaving the page: no `return_url` exists on a server-side confirmation, and 3-D Secure is shown
 * by Stripe's own library. Naming cards here (`payment_method_types`) is what this API version no longer takes; the
 * account's settings do it, and manual capture leaves out by itself what cannot be captured later.
 */
const ON_THE_PAGE = { enabled: true, allow_redirects: 'never' } as const;

function intentBasics({ paymentId, subject, amount, customerId }: IntentParams) {
  return {
    amount: toStripe(amount),
    currency: amount.currency.toLowerCase(),
    ...(customerId && { customer: customerId }),
    automatic_payment_methods: ON_THE_PAGE,
    ...shownAtStripe(paymentId, subject),
  };
}

const rejections = counter(
  'stripe_requests_rejected_total',
  'Requests of ours that Stripe called invalid: a fault of the platform, whoever it met',
  ['operation', 'code'],
);

/** Runs requests and says what they came to. The only place where Stripe's errors are read. */
function asking(logger: Logger) {
  /** For a request that may have an effect. A code that `isAnswer` knows is Stripe's answer to it, any other says that it was invalid. */
  async function answerOf<T>(
    operation: string,
    isAnswer: (code: string) => boolean,
    send: () => Promise<T>,
  ): Promise<Answer<T>> {
    requireVendor('stripe');
    try {
      return { kind: 'ok', value: await send() };
    } catch (error) {
      return failureOf(error, isAnswer, (code, { param, requestId: stripeRequestId }) => {
        rejections.inc({ operation, code });
        // Not what Stripe says in words, which may quote a person: its dashboard has that, by the id of the request.
        logger.error({ operation, code, param, stripeRequestId }, 'Stripe called a request of ours invalid');
      });
    }
  }

  /** For requests that only read: what is missing is null, everything else a ProblemError to retry on. */
  async function reading<T>(operation: string, ask: () => Promise<T>): Promise<T | null> {
    const answer = await answerOf(operation, isGone, ask);
    if (answer.kind === 'ok') return answer.value;
    if (answer.kind === 'not_executed') throw answer.problem;
    if (answer.kind === 'rejected') throw new Error(`Stripe refused a question: ${answer.code}`);
    if (answer.kind === 'refused') return null;
    throw stripeIsAway();
  }

  return { answerOf, reading };
}

/** `account_invalid` is how Stripe answers for connected accounts that do not exist (any more). */
const isGone = (code: string) => code === 'resource_missing' || code === 'account_invalid';
/** The intent is in no state for it: it was cancelled, captured or has lapsed. */
const isOver = (code: string) =>
  isGone(code) || code === 'payment_intent_unexpected_state' || code === 'charge_expired_for_capture';
/** Refusals of a card, or of its holder, that Stripe counts among invalid requests (docs.stripe.com/error-codes). */
const OF_THE_CARD = new Set([
  'payment_intent_authentication_failure',
  'payment_intent_payment_attempt_failed',
  'payment_method_customer_decline',
  'payment_method_not_available',
  'payment_method_provider_decline',
]);
/** An address that Stripe does not take for one is the person's. */
const isTheirDetails = (code: string) => code === 'email_invalid';
const isAnyAnswer = () => true;
const isNoAnswer = () => false;

function failureOf(
  error: unknown,
  isAnswer: (code: string) => boolean,
  report: (code: string, error: InstanceType<typeof Stripe.errors.StripeError>) => void,
): Exclude<Answer<never>, { kind: 'ok' }> {
  if (!(error instanceof Stripe.errors.StripeError)) throw error;
  // The error's own `type` is the name of a class of the SDK, which is nobody's business.
  const code = error.code ?? error.rawType ?? 'unknown';
  if (error instanceof Stripe.errors.StripeCardError) {
    const intent = error.payment_intent ? intentOf(error.payment_intent) : null;
    return { kind: 'declined', code: error.decline_code || code, intent };
  }
  if (error instanceof Stripe.errors.StripeIdempotencyError) return { kind: 'key_used' };
  if (error instanceof Stripe.errors.StripeInvalidRequestError) {
    // The client has chosen the card: one that is not there, is another's or was used up is declined like one that its bank declines.
    if (error.param === 'payment_method' || OF_THE_CARD.has(code))
      return { kind: 'declined', code: error.code ?? 'payment_method_unusable', intent: null };
    if (isAnswer(code)) return { kind: 'refused', code };
    report(code, error);
    return { kind: 'rejected', code };
  }
  if (error instanceof Stripe.errors.StripeRateLimitError) {
    const wait = Number(error.headers?.['retry-after']);
    const retryAfterSeconds = Number.isFinite(wait) && wait > 0 ? wait : 1;
    const problem = new ProblemError('rate_limited', 'Stripe asks to slow down', { retryAfterSeconds });
    return { kind: 'not_executed', problem };
  }
  if (error instanceof Stripe.errors.StripePermissionError && isGone(code)) return { kind: 'refused', code };
  if (error.statusCode === 401 || error.statusCode === 403) {
    const problem = new ProblemError('upstream_unavailable', 'Stripe does not accept the key of this platform', {
      retryAfterSeconds: 30,
    });
    return { kind: 'not_executed', problem };
  }
  if (error.statusCode === 409) return { kind: 'in_use' };
  // Only a plain 500 comes from behind Stripe's idempotency layer for certain; another answer in the 500s may not.
  const replayed = error.headers?.['idempotent-replayed'] === 'true';
  return { kind: 'doubtful', final: replayed || error.statusCode === 500, replayed };
}

/** After a doubtful answer: ask again, under the same key. */
export function stripeIsAway(): ProblemError {
  return new ProblemError('upstream_unavailable', 'Stripe is not answering', { retryAfterSeconds: 2 });
}

function seconds(date: Date): number {
  return Math.floor(date.getTime() / 1_000);
}

function paymentOf({ metadata }: Stripe.PaymentIntent): string | null {
  return metadata.inert ? null : (metadata.paymentId ?? null);
}

function intentOf(intent: Stripe.PaymentIntent): Intent {
  const charge = typeof intent.latest_charge === 'object' ? intent.latest_charge : null;
  const line = typeof charge?.balance_transaction === 'object' ? charge.balance_transaction : null;
  const captureBefore = charge?.payment_method_details?.card?.capture_before;
  const problem = intent.last_payment_error;
  const currency = intent.currency.toUpperCase();
  return {
    id: intent.id,
    paymentId: paymentOf(intent),
    status: intent.status,
    received: fromStripe(intent.amount_received, currency),
    currency,
    clientSecret: intent.client_secret,
    captureBefore: captureBefore === undefined ? null : new Date(captureBefore * 1_000),
    declineCode: problem ? (problem.decline_code ?? problem.code ?? problem.type) : null,
    movement: movementOf(line),
    availableOn: line && new Date(line.available_on * 1_000),
  };
}

function refundOf(refund: Stripe.Refund): StripeRefund {
  const failed = refund.status === 'failed' || refund.status === 'canceled';
  return {
    id: refund.id,
    refundId: refund.metadata?.refundId ?? null,
    status: failed ? 'failed' : refund.status === 'succeeded' ? 'succeeded' : 'pending',
    amount: fromStripe(refund.amount, refund.currency.toUpperCase()),
    failureCode: failed ? (refund.failure_reason ?? refund.status) : null,
    movement: movementOf(refund.balance_transaction),
    reversal: null,
  };
}

function movementOf(line: string | Stripe.BalanceTransaction | null | undefined): Movement | null {
  if (typeof line !== 'object' || line === null) return null;
  const currency = line.currency.toUpperCase();
  return { id: line.id, fee: fromStripe(line.fee, currency), currency };
}

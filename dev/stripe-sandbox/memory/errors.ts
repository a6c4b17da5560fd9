import type Stripe from 'stripe';

/** The `error` object of a Stripe reply. See https://docs.stripe.com/api/errors */
interface ErrorFields {
  type: 'api_error' | 'card_error' | 'idempotency_error' | 'invalid_request_error';
  message: string;
  code?: string;
  param?: string;
  decline_code?: string;
  advice_code?: string;
  network_decline_code?: string;
  charge?: string;
  payment_intent?: Stripe.PaymentIntent;
  setup_intent?: Stripe.SetupIntent;
  payment_method?: Stripe.PaymentMethod;
}

interface ProblemOptions {
  /**
   * Whether the endpoint had begun to execute. Stripe stores a reply under its idempotency key only then: refused
   * parameters, 401, 429 and key conflicts may be retried under the same key.
   * See https://docs.stripe.com/api/idempotent_requests
   */
  executed: boolean;
  headers?: Record<string, string>;
}

/** A refusal that becomes a Stripe error reply. */
export class StripeProblem extends Error {
  readonly executed: boolean;
  readonly headers: Record<string, string>;

  constructor(
    readonly status: number,
    readonly fields: ErrorFields,
    options: ProblemOptions,
  ) {
    super(fields.message);
    this.executed = options.executed;
    this.headers = options.headers ?? {};
  }
}

/** The JSON text of an error reply, with the documentation link Stripe adds to every coded error. */
export function errorBody(fields: ErrorFields, requestId: string): string {
  const { code } = fields;
  return JSON.stringify({
    error: {
      ...fields,
      ...(code === undefined ? {} : { doc_url: `https://stripe.com/docs/error-codes/${code.replaceAll('_', '-')}` }),
      request_log_url: `https://dashboard.stripe.com/test/logs/${requestId}`,
    },
  });
}

/** A parameter that is wrong whatever the state: decided before execution, so never stored under an idempotency key. */
export function badParameter(message: string, param: string, code?: string): StripeProblem {
  return new StripeProblem(
    400,
    { type: 'invalid_request_error', message, param, ...(code === undefined ? {} : { code }) },
    { executed: false },
  );
}

/** A well-formed request that the current state forbids. Stored under the idempotency key like any executed reply. */
export function refused(message: string, fields: Partial<ErrorFields> = {}): StripeProblem {
  return new StripeProblem(400, { type: 'invalid_request_error', message, ...fields }, { executed: true });
}

/** `resource_missing`: 404 for the object in the path (no `param`), 400 for one a parameter refers to. */
export function noSuch(noun: string, id: string, param?: string): StripeProblem {
  return new StripeProblem(
    param === undefined ? 404 : 400,
    {
      type: 'invalid_request_error',
      code: 'resource_missing',
      message: `No such ${noun}: '${id}'`,
      param: param ?? 'id',
    },
    { executed: true },
  );
}

/** Stripe does not say whether a foreign account exists: 403 for unknown and deleted ones alike. */
export function noAccess(account: string): StripeProblem {
  return new StripeProblem(
    403,
    {
      type: 'invalid_request_error',
      code: 'account_invalid',
      message:
        `The provided key does not have access to account '${account}' (or that account does not exist). ` +
        'Application access may have been revoked.',
    },
    { executed: false },
  );
}

/** 429. Limiters run before the idempotency layer, so nothing is stored: https://docs.stripe.com/error-low-level */
export function rateLimited(retryAfterSeconds: number): StripeProblem {
  return new StripeProblem(
    429,
    {
      type: 'invalid_request_error',
      code: 'rate_limit',
      message:
        'Request rate limit exceeded. You can learn more about rate limits here https://stripe.com/docs/rate-limits.',
    },
    { executed: false, headers: { 'Retry-After': String(retryAfterSeconds), 'Stripe-Should-Retry': 'true' } },
  );
}

export function refusedOnDemand(code: string): StripeProblem {
  const message = 'Stripe refuses this, as it was told to.';
  return new StripeProblem(400, { type: 'invalid_request_error', code, message }, { executed: false });
}

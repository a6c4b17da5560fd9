/**
 * Every error code the platform answers with: its HTTP status, what it means to a person, and whether the same request
 * may succeed later (`retryable`: an activity that meets it tries again; otherwise it is a business refusal and ends the
 * step). Clients see it as RFC 9457 problem details; `docs/errors.md` is generated from this table.
 */
export const ERROR_CODES = {
  malformed_body: { status: 400, retryable: false, title: 'The body is not valid JSON' },
  malformed_request: { status: 400, retryable: false, title: 'The request is not unambiguous HTTP' },
  idempotency_key_required: { status: 400, retryable: false, title: 'This request needs an Idempotency-Key header' },
  invalid_idempotency_key: { status: 400, retryable: false, title: 'The Idempotency-Key header is not usable' },
  invalid_signature: { status: 400, retryable: false, title: 'The webhook signature does not match' },
  invalid_token: { status: 400, retryable: false, title: 'The one-time token is unknown, used or expired' },
  unauthenticated: { status: 401, retryable: true, title: 'A valid access token is needed' },
  invalid_credentials: { status: 401, retryable: false, title: 'E-mail or password is wrong' },
  invalid_refresh_token: { status: 401, retryable: false, title: 'The refresh token is unknown, used or expired' },
  payment_declined: { status: 402, retryable: false, title: 'The card was declined' },
  forbidden: { status: 403, retryable: false, title: 'Your role does not allow this' },
  second_factor_required: { status: 403, retryable: false, title: 'Administrators sign in with a second factor' },
  account_suspended: { status: 403, retryable: false, title: 'The account is suspended' },
  account_pending: { status: 403, retryable: false, title: 'The account is still being set up' },
  not_found: { status: 404, retryable: false, title: 'There is no such resource' },
  module_off: { status: 404, retryable: false, title: 'This part of the platform is switched off here' },
  method_not_allowed: { status: 405, retryable: false, title: 'The resource does not support this method' },
  request_timeout: { status: 408, retryable: true, title: 'The request took too long to arrive' },
  conflict: { status: 409, retryable: false, title: 'The request conflicts with the current state' },
  invalid_state: { status: 409, retryable: false, title: 'The current state does not allow this' },
  idempotency_in_progress: { status: 409, retryable: true, title: 'A request with this key is still being processed' },
  slot_unavailable: { status: 409, retryable: false, title: 'The slot cannot be booked' },
  email_taken: { status: 409, retryable: false, title: 'The e-mail address is already registered' },
  link_required: {
    status: 409,
    retryable: false,
    title: 'There is an account of this address: sign in to it, then link this sign-in',
  },
  last_sign_in_method: { status: 409, retryable: false, title: 'Nothing else would be left to sign in by' },
  last_admin: { status: 409, retryable: false, title: 'This is the last administrator' },
  profile_exists: { status: 409, retryable: false, title: 'The tutor profile has been completed already' },
  edit_window_closed: { status: 409, retryable: false, title: 'It can no longer be changed' },
  payment_disputed: { status: 409, retryable: false, title: 'The payment is disputed: its bank decides first' },
  payment_failed: { status: 409, retryable: false, title: 'The payment could not be taken' },
  payment_expired: { status: 409, retryable: false, title: 'The payment was not completed in time' },
  request_expired: { status: 409, retryable: false, title: 'The request was given up before anything was done' },
  refund_exceeds_payment: { status: 409, retryable: false, title: 'The refund is more than what is left' },
  refund_failed: { status: 409, retryable: false, title: 'The refund was refused' },
  too_many_moves: { status: 409, retryable: false, title: 'The booking has been moved as often as it can be' },
  too_many_pending: {
    status: 409,
    retryable: false,
    title: 'Too many bookings of this student wait for their payment',
  },
  too_many_refunds: {
    status: 409,
    retryable: false,
    title: 'The payment has been given back in as many parts as it can be',
  },
  nothing_to_pay: { status: 409, retryable: false, title: 'Nothing is payable' },
  payout_in_progress: { status: 409, retryable: false, title: 'A payout of this currency is under way already' },
  payouts_disabled: { status: 409, retryable: false, title: 'There is no account that could be paid out' },
  transfer_not_reversed: {
    status: 409,
    retryable: false,
    title: "What was transferred cannot be fetched back from its payee's account",
  },
  undone: { status: 409, retryable: false, title: 'The step was undone before it arrived' },
  payload_too_large: { status: 413, retryable: false, title: 'The body is too large' },
  unsupported_media_type: { status: 415, retryable: false, title: 'Send application/json in UTF-8' },
  expectation_failed: { status: 417, retryable: false, title: 'The Expect header asks for what is not done here' },
  validation_failed: { status: 422, retryable: false, title: 'The request is not valid' },
  below_minimum: { status: 422, retryable: false, title: 'That is less than what is paid out at once' },
  idempotency_key_reused: { status: 422, retryable: false, title: 'The key was used for another request' },
  rate_limited: { status: 429, retryable: true, title: 'Too many requests' },
  header_fields_too_large: { status: 431, retryable: false, title: 'The request headers are too large' },
  internal: { status: 500, retryable: true, title: 'Something went wrong on our side' },
  payment_rejected: { status: 502, retryable: false, title: 'The payment could not be made by a fault of ours' },
  contact_unknown: { status: 503, retryable: true, title: 'Where this person is reached is not known yet' },
  overloaded: { status: 503, retryable: true, title: 'Too much is going on to begin more' },
  upstream_unavailable: { status: 503, retryable: true, title: 'A part of the platform is not answering' },
} as const satisfies Record<string, { status: number; retryable: boolean; title: string }>;

export type ErrorCode = keyof typeof ERROR_CODES;

/** One field that is wrong: `path` is the dotted place in the request, `message` what to do about it. */
export interface FieldError {
  path: string;
  message: string;
}

/**
 * A refusal or fault with a code of the table. Thrown by rules and stores, turned into problem+json at the HTTP door and
 * into a Temporal failure at the activity's. `extras` are members added to the problem (`bookingId`, `declineCode`);
 * `retryAfterSeconds` becomes Retry-After, `headers` are sent as they are.
 */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  constructor(
    readonly code: ErrorCode,
    readonly detail: string = ERROR_CODES[code].title,
    readonly more: {
      errors?: FieldError[];
      extras?: Record<string, unknown>;
      retryAfterSeconds?: number;
      headers?: Record<string, string>;
    } = {},
  ) {
    super(`${code}: ${detail}`);
  }

  get status(): number {
    return ERROR_CODES[this.code].status;
  }
}

/** What is wrong with fields of a request, each of them named. `headers` are sent as they are. */
export function notValid(errors: FieldError[], headers?: Record<string, string>): ProblemError {
  return new ProblemError('validation_failed', 'Some fields are not valid', { errors, ...(headers && { headers }) });
}

/**
 * `error` and what caused it, the outermost first, at most five. Judged by shape: `instanceof Error` is false for an error
 * that was made in another realm, as Node's own are when code runs in a `vm` context.
 */
export function* causesOf(error: unknown): Generator<object> {
  for (let current = error, depth = 0; depth < 5 && typeof current === 'object' && current !== null; depth++) {
    yield current;
    current = 'cause' in current ? current.cause : undefined;
  }
}

/** Whether `text` is a code of the table, for problems read off the wire. */
export function isErrorCode(text: unknown): text is ErrorCode {
  return typeof text === 'string' && Object.hasOwn(ERROR_CODES, text);
}

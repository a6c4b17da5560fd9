import { ERROR_CODES, type ErrorCode } from '../../../kernel/errors';

/** One error code explained to whoever writes a client. */
interface Explanation {
  code: ErrorCode;
  status: number;
  meaning: string;
  retryable: boolean;
  /** What the client should do about it. */
  advice: string;
}

/** Every code in the order of the table, which is that of its status. `docs/errors.md` and `/docs/errors` are made of it. */
export function explainErrors(): Explanation[] {
  return Object.entries(ERROR_CODES)
    .filter((entry): entry is [ErrorCode, (typeof ERROR_CODES)[ErrorCode]] => entry[0] in ERROR_CODES)
    .map(([code, { status, title, retryable }]) => ({
      code,
      status,
      meaning: title,
      retryable,
      advice: ADVICE[code] ?? adviceByStatus(status),
    }));
}

/** For codes about which there is no more to say than their status does. */
function adviceByStatus(status: number): string {
  if (status >= 500)
    return 'Wait as long as Retry-After says and send the same request under the same Idempotency-Key.';
  if (status === 409) return 'Fetch the resource again, show its current state and let the person decide anew.';
  if (status === 404) return 'Do not repeat the request: check the id, and whether it belongs to the person who asks.';
  if (status === 403) return 'Do not repeat the request: this account may not do it.';
  return 'Do not repeat the request as it is: correct it first. `detail` says what is wrong.';
}

const ADVICE: Partial<Record<ErrorCode, string>> = {
  module_off: 'Do without it: whoever runs this platform has chosen not to offer it. `detail` names the module.',
  malformed_body: 'Send a complete JSON document in UTF-8.',
  malformed_request: 'Send one Host header and use an HTTP library that writes standard HTTP/1.1.',
  idempotency_key_required:
    'Make a random key (a UUID will do) for each thing the person wants once, and send it with every attempt at it.',
  invalid_idempotency_key: 'Use 1 to 255 printable ASCII characters without spaces; a UUID is a good key.',
  invalid_signature:
    'Check that the endpoint’s signing secret is the one configured here and that the body was not changed.',
  invalid_token: 'Ask for a new link: each works once and only for a limited time.',
  unauthenticated:
    'Refresh the access token (POST /api/auth/refresh) and repeat the request once; if that is refused, sign in again.',
  invalid_credentials:
    'Let the person type both again. The answer is the same for an address that is not registered. At a challenge: let them type a new code, or sign in anew once the challenge has expired.',
  invalid_refresh_token:
    'Forget both tokens and let the person sign in again. Use each refresh token once and keep the one that comes back. Send a `refreshId` that was noted before, so that a refresh whose answer was lost can be repeated within 30 seconds.',
  payment_declined:
    'Show the person that the card was declined (`declineCode` says why, where the bank tells) and offer another card, under a new Idempotency-Key.',
  second_factor_required:
    'Have the administrator sign in anew with a code of their authenticator. One who has none sets it up first (POST /api/auth/totp), then refreshes the access token.',
  account_suspended: 'Do not repeat the request: tell the person that an administrator has suspended their account.',
  account_pending: 'Wait some seconds and sign in again: the account is completed in the background.',
  not_found:
    'Do not repeat the request: check path and id. What belongs to somebody else is answered like what does not exist.',
  method_not_allowed: 'Use one of the methods in the Allow header.',
  request_timeout: 'Send the request again, in one go: the body has to arrive within ten seconds.',
  invalid_state:
    'Fetch the resource again: it has moved on since you read it, and its status says what can be done now.',
  last_admin: 'Make somebody else an administrator first: a platform is never without one.',
  idempotency_in_progress:
    'Wait a second and repeat the request under the same key: you get the reply of the first one.',
  slot_unavailable: 'Fetch the tutor’s slots again and let the person choose another one. No money was taken.',
  email_taken: 'Offer to sign in or to reset the password instead.',
  profile_exists: 'Change the profile with PATCH instead.',
  payment_failed: 'No money was taken. Fetch the booking to see what became of it, and offer another card.',
  payment_rejected:
    'Nothing was taken, and the card is not to blame: Stripe did not accept what the platform sent. The same request will not succeed; report `requestId`.',
  payment_expired: 'The time to complete the payment is over and no money was taken: start again.',
  too_many_moves: 'Leave the session where it is, or cancel it and book another one.',
  too_many_pending:
    'Have the person complete the payment of the bookings that wait for it (`payment.clientSecret`), or cancel them, and book again under a new Idempotency-Key.',
  too_many_refunds: 'Ask an operator of the platform to give back what is left.',
  request_expired:
    'Nothing was booked and no money was taken: the request was not repeated within ten minutes after a fault. Ask the person whether they still want it, and send it under a new Idempotency-Key.',
  nothing_to_pay:
    'Show the wallet: what is pending becomes payable at `nextPayableAt`. Where `payable` comes along, ask for no more than that.',
  payout_in_progress:
    'Show the payout that `payoutId` names. Another one of its currency can be opened once it is over.',
  payouts_disabled:
    'Only who teaches has an account that is paid out. Nothing is lost: what was earned stays in the wallet.',
  below_minimum:
    'Say how much has to be payable: `minimum` comes along. It is paid out by itself in the week in which that is reached.',
  refund_exceeds_payment:
    'Fetch the payment: `captured` less `refunded` and `refundPending` is what can still be given back.',
  refund_failed:
    'The money could not be given back this way. Fetch the refund and settle it with the person otherwise.',
  undone: 'Met by the platform’s own parts only: the work this step was part of has been taken back.',
  payload_too_large: 'Keep the body under 100 KiB.',
  unsupported_media_type: 'Send `Content-Type: application/json` and a body in UTF-8.',
  expectation_failed: 'Send no Expect header, or `Expect: 100-continue`.',
  validation_failed: 'Show each entry of `errors` at its field: `path` names the field, `message` what to change.',
  idempotency_key_reused: 'Make a new key: this one belongs to an earlier request with another body.',
  rate_limited: 'Wait as long as Retry-After says. The RateLimit headers of every reply tell how much is left.',
  header_fields_too_large: 'Send fewer or shorter headers: all of them together fit into 16 KiB.',
  internal: 'Repeat the request later, under the same Idempotency-Key. If it stays, report `requestId`.',
};

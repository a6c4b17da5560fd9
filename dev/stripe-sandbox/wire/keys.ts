/** Keys, and what the one that browsers know may do. See https://docs.stripe.com/keys */
import { badParameter, refused, StripeProblem } from '../memory/errors';
import type { Call, Endpoint, KeyKind } from './endpoint';

/** @throws StripeProblem (401) for anything but a test key, as a bearer token or the user name of basic authentication */
export function keyKind(authorization: string | undefined): KeyKind {
  const [scheme = '', credentials = ''] = (authorization ?? '').split(' ');
  const key =
    scheme.toLowerCase() === 'basic'
      ? (Buffer.from(credentials, 'base64').toString().split(':')[0] ?? '')
      : credentials;
  if (/^sk_test_\w+$/.test(key)) return 'secret';
  if (/^pk_test_\w+$/.test(key)) return 'publishable';
  const message =
    key === ''
      ? "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY')."
      : `Invalid API Key provided: ${key.slice(0, 8)}${'*'.repeat(8)}${key.slice(-4)}`;
  throw new StripeProblem(
    401,
    { type: 'invalid_request_error', message },
    { executed: false, headers: { 'WWW-Authenticate': 'Basic realm="Stripe"' } },
  );
}

/** @throws StripeProblem `secret_key_required` if browsers may not ask for that */
export function requireSecret(key: KeyKind, { publishable }: Endpoint): void {
  if (key === 'secret' || publishable) return;
  throw new StripeProblem(
    403,
    {
      type: 'invalid_request_error',
      code: 'secret_key_required',
      message:
        'This API call cannot be made with a publishable API key. Please use a secret API key. You can find a list of your API keys at https://dashboard.stripe.com/account/apikeys.',
    },
    { executed: false },
  );
}

/**
 * A browser has to know an intent's own secret.
 * @throws StripeProblem if it does not
 */
export function requireClientSecret(
  { key }: Call,
  intent: { object: string; client_secret: string | null },
  given: string | undefined,
): void {
  if (given === undefined) {
    if (key === 'secret') return;
    throw badParameter('Missing required param: client_secret.', 'client_secret', 'parameter_missing');
  }
  if (given === intent.client_secret) return;
  const noun = intent.object === 'setup_intent' ? 'SetupIntent' : 'PaymentIntent';
  throw refused(`The client_secret provided does not match any associated ${noun} on this account.`, {
    param: 'client_secret',
  });
}

/** What browsers are told of intents: "it only returns a subset of properties", https://docs.stripe.com/api/payment_intents/retrieve */
const PUBLIC = {
  payment_intent: [
    ...['id', 'object', 'amount', 'automatic_payment_methods', 'canceled_at', 'cancellation_reason', 'capture_method'],
    ...['client_secret', 'confirmation_method', 'created', 'currency', 'description', 'last_payment_error', 'livemode'],
    ...['next_action', 'payment_method', 'payment_method_configuration_details', 'payment_method_types', 'processing'],
    ...['receipt_email', 'setup_future_usage', 'shipping', 'source', 'status'],
  ],
  setup_intent: [
    ...['id', 'object', 'automatic_payment_methods', 'cancellation_reason', 'client_secret', 'created', 'description'],
    ...['last_setup_error', 'livemode', 'next_action', 'payment_method', 'payment_method_configuration_details'],
    ...['payment_method_types', 'status', 'usage'],
  ],
};

/** An answer, or the fields of a refusal, as whoever has that key may see it. */
export function shownTo(key: KeyKind, body: object): object {
  if (key === 'secret') return body;
  const kind = 'object' in body ? body.object : undefined;
  if (kind === 'payment_intent' || kind === 'setup_intent') {
    return Object.fromEntries(Object.entries(body).filter(([name]) => PUBLIC[kind].includes(name)));
  }
  const parts = Object.entries(body).map(([name, part]: [string, unknown]) =>
    name.endsWith('_intent') && typeof part === 'object' && part !== null ? [name, shownTo(key, part)] : [name, part],
  );
  return Object.fromEntries(parts);
}

/** Which of our two webhook endpoints Stripe signed a request for: each has a secret of its own. */

/** Of the events of the platform's own account, and of those of its connected accounts. */
type WebhookEndpoint = 'platform' | 'connect';

/** The SDK's check: false, or an error, for what is not signed with the secret, and for what was signed too long ago. */
export type Verify = (payload: Buffer, header: string, secret: string, toleranceSeconds: number) => boolean;

/** Older signatures may have been overheard; Stripe signs anew each time it sends an event again. */
const SIGNATURE_TOLERANCE_SECONDS = 300;

interface Signed {
  rawBody: Buffer;
  header: string;
}

/**
 * The endpoints whose secret a request is signed with. An endpoint without a secret believes nothing.
 * @returns none where it is signed with neither, or more than five minutes ago or ahead of now
 */
export function endpointsSigned(
  verify: Verify,
  { rawBody, header }: Signed,
  secrets: Readonly<Record<WebhookEndpoint, string | undefined>>,
): WebhookEndpoint[] {
  const endpoints: WebhookEndpoint[] = ['platform', 'connect'];
  return endpoints.filter((endpoint) => isGenuine(verify, rawBody, header, secrets[endpoint]));
}

function isGenuine(verify: Verify, rawBody: Buffer, header: string, secret: string | undefined): boolean {
  if (!secret) return false;
  try {
    if (!verify(rawBody, header, secret, SIGNATURE_TOLERANCE_SECONDS)) return false;
  } catch {
    return false;
  }
  // The SDK refuses only what is too old. What is dated ahead would stay good for longer than the five minutes.
  return signedAt(header) <= Date.now() / 1_000 + SIGNATURE_TOLERANCE_SECONDS;
}

/** In seconds, read as the SDK reads it: the last `t` counts. */
function signedAt(header: string): number {
  const time = header.split(',').findLast((item) => item.startsWith('t='));
  return Number.parseInt(time?.slice('t='.length) ?? '', 10);
}

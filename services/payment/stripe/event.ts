import { z } from 'zod';
import { ProblemError } from '../../../kernel/errors';
import type { StripeEvent } from './answers';

/** Stripe promises ids of at most 255 characters. No control characters: Postgres stores no NUL, and nothing of Stripe's has others. */
const Text = z.string().regex(/^\P{Cc}{0,255}$/u);
const Name = z.string().regex(/^[\x21-\x7e]{1,255}$/);
/** Of the year 9999, in seconds: later ones are no timestamps to Postgres as JavaScript writes them. */
const LAST_SECOND = 253_402_300_799;

/** What every event of Stripe's has, as far as it concerns us. The object is of any kind, so that little is asked of it. */
const Event = z.object({
  id: Name,
  type: Name,
  created: z.int().min(0).max(LAST_SECOND),
  account: Name.nullish(),
  data: z.object({
    object: z.object({
      object: Text.nullish(),
      id: Text.nullish(),
      payment_intent: z.union([Text, z.record(z.string(), z.unknown())]).nullish(),
    }),
  }),
});

/** The event that a webhook's body tells of. @throws ProblemError malformed_body: it is no event of Stripe's */
export function eventOf(rawBody: Buffer): StripeEvent {
  const parsed = Event.safeParse(jsonOf(rawBody));
  if (!parsed.success) throw new ProblemError('malformed_body', 'The body is not an event of Stripe');
  const { id, type, created, account, data } = parsed.data;
  const { object: kind, id: objectId, payment_intent: intent } = data.object;
  const intentId = kind === 'payment_intent' ? objectId : intent;
  return {
    id,
    type,
    createdAt: new Date(created * 1_000),
    account: account ?? null,
    objectId: objectId ?? null,
    // Whole objects stand in place of ids only where somebody asked for them; nobody asks for a webhook.
    intentId: typeof intentId === 'string' ? intentId : null,
  };
}

/** Undefined where the body is no JSON in UTF-8. */
function jsonOf(rawBody: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(rawBody));
  } catch {
    return undefined;
  }
}

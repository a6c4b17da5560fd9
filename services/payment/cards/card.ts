import { createHash } from 'node:crypto';
import { ProblemError } from '../../../kernel/errors';
import { type ClientRequest, onceWith } from '../../../platform/idempotency';
import { customerOf } from '../accounts/store';
import type { SavedCard } from '../stripe/answers';
import { stripeIsAway } from '../stripe/door';
import type { Till } from '../till';

// Cards that people keep. Stripe alone has them: nothing of a card is stored here, not even that there is one.

/** How long the account of somebody who has just signed up may take. */
const UNTIL_THERE_SECONDS = 2;

/** A user's saved cards, the newest first; none of who is no customer. @throws ProblemError rate_limited, upstream_unavailable */
export async function savedCards({ db, stripe }: Till, userId: string): Promise<SavedCard[]> {
  const customerId = await customerOf(db, userId);
  return customerId === null ? [] : ((await stripe.listCards(customerId)) ?? []);
}

/**
 * Begins to save a card. Its secret is not kept under the request's key: a repeat asks Stripe again, which gives the same one under its own.
 * @returns what the page confirms it with
 * @throws ProblemError idempotency_key_reused; invalid_state for who is no customer (yet); rate_limited, upstream_unavailable,
 * idempotency_in_progress to call again under the same key
 */
export async function setUpCard({ db, stripe }: Till, request: ClientRequest, userId: string): Promise<string> {
  const customerId = await customerOf(db, userId);
  if (customerId === null)
    throw new ProblemError('invalid_state', 'Your account is not set up yet', {
      retryAfterSeconds: UNTIL_THERE_SECONDS,
    });
  await onceWith(db, request, { status: 201, body: null }, async () => undefined);
  const key = createHash('sha256').update(`${request.owner} ${request.key}`).digest('hex');
  // A setup that nobody confirms is worth nothing, so one that was lost needs no look-up: where Stripe would only repeat
  // its failure the next number is taken, by this request or its repeat, and always the same ones in the same order.
  for (let number = 1; ; number += 1) {
    const answer = await stripe.createSetup(`setup/${key}/${number}`, customerId);
    switch (answer.kind) {
      case 'ok':
        return answer.value;
      case 'refused':
        throw new ProblemError('invalid_state', 'There is no customer at Stripe for you');
      case 'declined':
      case 'rejected':
        throw new Error(`Stripe sets no card up: ${answer.code}`);
      case 'not_executed':
        throw answer.problem;
      case 'in_use':
        throw new ProblemError('idempotency_in_progress', undefined, { retryAfterSeconds: 1 });
      case 'doubtful':
        if (!answer.replayed) throw stripeIsAway();
        break;
      case 'key_used':
        break;
    }
  }
}

/**
 * Forgets a saved card. What it has authorised stays so.
 * @throws ProblemError not_found for a card that the user does not keep (any more); rate_limited, upstream_unavailable
 */
export async function removeCard({ db, stripe }: Till, userId: string, cardId: string): Promise<void> {
  const customerId = await customerOf(db, userId);
  const isTheirs = customerId !== null && (await stripe.ownerOfCard(cardId)) === customerId;
  // Another request may take it away in between.
  if (!isTheirs || (await stripe.detachCard(cardId)) === null) throw new ProblemError('not_found');
}

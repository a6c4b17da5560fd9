import { setTimeout as sleep } from 'node:timers/promises';
import type { ProblemError } from '../../../kernel/errors';
import type { Answer, Intent } from './answers';
import { stripeIsAway } from './door';
import type { Attempt } from './store';

/** How long another request with the same key is given to end before it is looked for. */
const IN_USE_PAUSE_MS = 250;

/** What an attempt came to. Everything else is a ProblemError to retry on, with the attempt still open or given up. */
export type AttemptOutcome<T> =
  | { kind: 'done'; value: T }
  | { kind: 'declined'; code: string; intent: Intent | null }
  | { kind: 'refused' | 'rejected'; code: string };

/** How one effect at Stripe is looked for, made, and given up. */
export interface Effect<T> {
  /** Asks Stripe whether it has happened already. */
  find(): Promise<T | null>;
  /** Makes it happen, under this key at Stripe. */
  send(stripeKey: string): Promise<Answer<T>>;
  /** Notes that Stripe will only repeat its failure under this key and that nothing came of it: the next attempt takes another. */
  giveUp(): Promise<void>;
}

/**
 * Carries out an effect at Stripe whose attempt is committed already. Whatever is doubtful is looked up before anything
 * is sent again, and as long as it may still happen it is sent under the same key, which Stripe executes once.
 * @throws ProblemError rate_limited, upstream_unavailable: call again
 */
export async function perform<T>(attempt: Attempt, effect: Effect<T>): Promise<AttemptOutcome<T>> {
  if (!attempt.fresh) {
    const found = await effect.find();
    if (found !== null) return { kind: 'done', value: found };
  }
  const answer = await effect.send(attempt.stripeKey);
  switch (answer.kind) {
    case 'ok':
      return { kind: 'done', value: answer.value };
    case 'declined':
    case 'refused':
    case 'rejected':
      return answer;
    case 'not_executed':
      throw answer.problem;
    case 'in_use':
      await sleep(IN_USE_PAUSE_MS);
      return foundOr(effect, () => stripeIsAway());
    case 'key_used':
    case 'doubtful': {
      const isOver = answer.kind === 'key_used' || answer.final;
      return foundOr(effect, async () => {
        if (isOver) await effect.giveUp();
        return stripeIsAway();
      });
    }
  }
}

async function foundOr<T>(
  effect: Effect<T>,
  otherwise: () => ProblemError | Promise<ProblemError>,
): Promise<AttemptOutcome<T>> {
  const found = await effect.find();
  if (found === null) throw await otherwise();
  return { kind: 'done', value: found };
}

import { z } from 'zod';
import { ProblemError } from '../../kernel/errors';
import { remember } from '../../kernel/remember';
import { SECOND } from '../../kernel/time';
import type { ServiceTokens } from '../../platform/auth';
import type { EndedSessions } from './ended-sessions';
import type { Upstreams } from './upstreams';

/** identity is asked of one session no more often than this. */
const ANSWER_HOLDS_MS = SECOND;
/** Sessions whose answers are remembered, at some 200 bytes each; the oldest is forgotten for one more. */
const MOST_REMEMBERED = 10_000;

/** Whether the session of a token goes on. @throws ProblemError upstream_unavailable when it cannot be known */
export type IsSessionOpen = (sessionId: string) => Promise<boolean>;

/**
 * Tells whether a session goes on: by what is known of ended ones, which costs a comparison, and while that is too old by asking identity. What
 * identity has called ended stays so, also where the bus tells it later.
 */
export function openSessions(ended: EndedSessions, ask: IsSessionOpen): IsSessionOpen {
  const answers = new Map<string, { askedAt: number; isOpen: Promise<boolean> }>();

  async function asked(sessionId: string): Promise<boolean> {
    const isOpen = await ask(sessionId);
    if (!isOpen) ended.add(sessionId);
    return isOpen;
  }

  function answer(sessionId: string): Promise<boolean> {
    const askedAt = performance.now();
    const known = answers.get(sessionId);
    if (known && askedAt - known.askedAt < ANSWER_HOLDS_MS) return known.isOpen;
    const isOpen = asked(sessionId);
    // No answer is nothing to remember: the next request asks again.
    isOpen.catch(() => answers.delete(sessionId));
    remember(answers, sessionId, { askedAt, isOpen }, MOST_REMEMBERED);
    return isOpen;
  }

  return async (sessionId) => !ended.has(sessionId) && (ended.isCurrent() || answer(sessionId));
}

const Answer = z.object({ open: z.boolean() });

/** Asks identity of a session, by its internal operation. */
export function askIdentity(upstreams: Pick<Upstreams, 'get'>, tokens: ServiceTokens): IsSessionOpen {
  return async (sessionId) => {
    try {
      const headers = { authorization: `Bearer ${await tokens.issue()}` };
      return Answer.parse(await upstreams.get('identity', `/internal/sessions/${sessionId}`, headers)).open;
    } catch {
      throw new ProblemError('upstream_unavailable', 'Whether the session goes on cannot be found out', {
        retryAfterSeconds: 2,
      });
    }
  };
}

import { MINUTE, SECOND } from '../../kernel/time';
import { type Remembering, startMemory } from '../../platform/bus/memory';
import type { BusReader } from '../../platform/bus/transport';
import type { Logger } from '../../platform/telemetry';
import { identityEvents } from '../identity/events';

/** An access token lives for so long: a session that ended before has none that still counts. */
const ACCESS_TOKEN_MINUTES = 15;
/** What is known may be so old: the reader looks every second, also where nobody wakes it. */
const KNOWN_WITHIN_MS = 3 * SECOND;

export interface EndedSessions extends Pick<Remembering, 'caughtUp' | 'close'> {
  /** Whether the session of a token has ended while the token could still be used. */
  has(sessionId: string): boolean;
  /** Notes one of which was heard otherwise. */
  add(sessionId: string): void;
  /** Whether no session can have ended more than three seconds ago without being known. */
  isCurrent(): boolean;
}

/**
 * Knows the sessions that have ended in the life of an access token, from identity's events: identity itself looks into its database. A gateway
 * has none; it reads the last quarter of an hour when it starts.
 */
export function knowEndedSessions(bus: BusReader, logger: Logger, now: () => number = Date.now): EndedSessions {
  const forgetAt = new Map<string, number>();

  function add(sessionId: string): void {
    const moment = now();
    // In the order in which they came, and so in which they go.
    for (const [id, until] of forgetAt) {
      if (until > moment) break;
      forgetAt.delete(id);
    }
    forgetAt.set(sessionId, moment + ACCESS_TOKEN_MINUTES * MINUTE);
  }

  const memory = startMemory({
    bus,
    topic: 'identity.events',
    seconds: (ACCESS_TOKEN_MINUTES * MINUTE) / 1_000,
    remember({ type, data }) {
      if (type !== 'UserLoggedOut') return;
      const ended = identityEvents.UserLoggedOut.pick({ sessionId: true }).strip().safeParse(data);
      if (ended.success) add(ended.data.sessionId);
      else logger.error({ type }, 'an event of identity is not what its schema says');
    },
    logger,
  });
  return {
    has: (sessionId) => (forgetAt.get(sessionId) ?? 0) > now(),
    add,
    isCurrent: () => memory.isCurrent(KNOWN_WITHIN_MS),
    caughtUp: memory.caughtUp,
    close: memory.close,
  };
}

import { MINUTE } from '../../kernel/time';
import { type Remembering, startMemory } from '../../platform/bus/memory';
import type { BusReader } from '../../platform/bus/transport';
import type { Logger } from '../../platform/telemetry';
import { identityEvents } from '../identity/events';

/** An access token lives for so long: a session that ended before has none that still counts. */
const ACCESS_TOKEN_MINUTES = 15;

export interface EndedSessions extends Pick<Remembering, 'caughtUp' | 'close'> {
  /** Whether the session of a token has ended while the token could still be used. */
  has(sessionId: string): boolean;
}

/**
 * Knows the sessions that have ended in the life of an access token, from identity's events: identity itself looks into its database. A gateway
 * has none; it reads the last quarter of an hour when it starts.
 */
export function knowEndedSessions(bus: BusReader, logger: Logger, now: () => number = Date.now): EndedSessions {
  const forgetAt = new Map<string, number>();

  function remember(sessionId: string): void {
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
      if (ended.success) remember(ended.data.sessionId);
      else logger.error({ type }, 'an event of identity is not what its schema says');
    },
    logger,
  });
  return {
    has: (sessionId) => (forgetAt.get(sessionId) ?? 0) > now(),
    caughtUp: memory.caughtUp,
    close: memory.close,
  };
}

import { SECOND } from '../../kernel/time';
import type { Logger } from '../telemetry';
import { type Loop, startLoop } from './loop';
import type { BusEvent, BusReader, Cursor } from './transport';

const BATCH = 500;
/** Who keeps events in memory must not miss one for long: spec of tokens, three seconds in all. */
const LOOK_EVERY_MS = SECOND;

export interface Remembering extends Loop {
  /** Whether it has once read to the end: before that it knows nothing. */
  caughtUp(): boolean;
  /**
   * Whether it knows all that was appended until `ms` ago. It does not while the bus is away, hangs, or is written to faster than it is read. The
   * time is one that never jumps.
   */
  isCurrent(ms: number): boolean;
}

/**
 * Tells `remember` the events of a topic: first those that were appended in the last `seconds`, then each that follows. For a process without a
 * database, which needs what happened for so long and no longer. Every process tells it all anew.
 */
export function startMemory(deps: {
  bus: BusReader;
  topic: string;
  seconds: number;
  remember(event: BusEvent): void;
  logger: Logger;
}): Remembering {
  const { bus, topic, logger } = deps;
  let at: { cursor: Cursor | null } | undefined;
  /** Of all that was appended before, it has told. */
  let knownUntil = Number.NEGATIVE_INFINITY;
  const loop = startLoop({
    wait: () => bus.appended(topic, LOOK_EVERY_MS),
    async step() {
      // Before it asks: an answer that was on its way for long says nothing of that time.
      const askedAt = performance.now();
      at ??= { cursor: await bus.before(topic, deps.seconds) };
      const { items, behind } = await bus.read(topic, at.cursor, BATCH);
      for (const { event, cursor } of items) {
        deps.remember(event);
        at = { cursor };
      }
      if (behind === 0) knownUntil = askedAt;
      return behind > 0;
    },
    failed(err, again) {
      if (!again) logger.warn({ err, topic }, 'events are not read for now; it is tried again');
      return false;
    },
  });
  return {
    caughtUp: () => knownUntil > Number.NEGATIVE_INFINITY,
    isCurrent: (ms) => performance.now() - knownUntil <= ms,
    close: () => loop.close(),
  };
}

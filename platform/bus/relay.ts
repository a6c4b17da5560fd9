import { SECOND } from '../../kernel/time';
import type { Changes } from '../changes';
import { counter, type Logger } from '../telemetry';
import { type Loop, startLoop } from './loop';
import { type BusAppender, type BusEvent, LEASE_SECONDS, type Lease, LeaseOver } from './transport';

/** What a relay publishes: rows that tell what is not on the bus yet. */
export interface Outbox {
  topic: string;
  /** Whether of each stream only the newest is kept. */
  keyed: boolean;
  /** The oldest of what is unpublished, those of one stream in the order of their versions; at most `limit`. */
  unpublished(limit: number): Promise<BusEvent[]>;
  /** Marks them as published. Harmless twice. */
  published(events: readonly BusEvent[]): Promise<void>;
}

/** What is announced with every row that waits to be published: it wakes the relay. */
export const OUTBOX = 'outbox';

/** So many are appended at once at most. */
const BATCH = 500;
/** An announcement can be lost with its connection: a relay looks for itself so often. */
const LOOK_EVERY_MS = SECOND;
/** What follows within so long is published with it: one statement does for all. */
const GATHERED_WITHIN_MS = 200;
/** A lease that has little left is kept, also where there is nothing to append. */
const KEEP_EVERY_MS = (LEASE_SECONDS / 3) * SECOND;

const published = counter('bus_events_published_total', 'Events handed to the bus', ['topic']);

/**
 * Publishes what an outbox holds, as long as it has the lease of the topic: among all processes one relay does. A batch is appended first and
 * marked afterwards; what was appended and not marked is appended again, and the bus leaves it out. Closed, it lets another relay take over at once.
 */
export function startRelay(deps: {
  bus: BusAppender;
  outbox: Outbox;
  changes: Changes;
  logger: Logger;
  /** Names this process among those that take the lease in turn. */
  holder: string;
}): Loop {
  const { bus, outbox, changes, logger } = deps;
  const { topic, keyed } = outbox;
  let lease: Lease | undefined;
  let keptAt = 0;
  let refusedAt = Number.NEGATIVE_INFINITY;

  /** @returns whether there may be more */
  async function publish(): Promise<boolean> {
    if (!lease) {
      // Another relay has it, and is woken as well: this one only watches whether it goes on.
      if (Date.now() - refusedAt < LOOK_EVERY_MS) return false;
      lease = await bus.takeLease(topic, deps.holder);
      keptAt = Date.now();
      if (!lease) refusedAt = keptAt;
    }
    if (!lease) return false;
    const batch = await outbox.unpublished(BATCH);
    if (batch.length > 0) {
      await bus.append(lease, batch, keyed);
      keptAt = Date.now();
      await outbox.published(batch);
      published.inc({ topic }, batch.length);
    } else if (Date.now() - keptAt > KEEP_EVERY_MS) {
      await bus.keepLease(lease);
      keptAt = Date.now();
    }
    return batch.length === BATCH;
  }

  const loop = startLoop({
    wait: () => changes.next(OUTBOX, LOOK_EVERY_MS),
    gatherMs: GATHERED_WITHIN_MS,
    step: publish,
    failed(err, again) {
      if (err instanceof LeaseOver) {
        lease = undefined;
        return true;
      }
      // Said once: it is tried again every second, for as long as the bus is away.
      if (!again) logger.warn({ err, topic }, 'events wait in the outbox until the bus takes them');
      return false;
    },
  });
  return {
    async close() {
      await loop.close();
      if (!lease) return;
      await bus.endLease(lease).catch((err: unknown) => logger.warn({ err, topic }, 'a lease runs out by itself'));
    },
  };
}

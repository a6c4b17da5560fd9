import type { Database, Transaction } from '../../db/client';
import { SECOND } from '../../kernel/time';
import type { Config } from '../config';
import { counter, gauge, type Logger } from '../telemetry';
import type { Consumer } from './consumer';
import { inStreamOrder } from './in-order';
import { type Loop, startLoop } from './loop';
import {
  beginAt,
  countDead,
  dueEvents,
  heldStreams,
  lockCursor,
  moveCursor,
  noteFailure,
  type Parked,
  park,
  unpark,
} from './store';
import type { BusReader, Cursor, Placed } from './transport';

/** So many events are applied in one transaction at most. */
const BATCH = 500;
/** What was appended can be told by a connection that ends: a consumer looks for itself so often. */
const LOOK_EVERY_MS = SECOND;

const LABELS: ('service' | 'consumer')[] = ['service', 'consumer'];
const applied = counter('bus_events_applied_total', 'Events that consumers have applied', LABELS);
const leftOutCount = counter('bus_events_left_out_total', 'Events that were too old for a reactor to act on', LABELS);
const lag = gauge('bus_consumer_lag_events', 'Events of its topic that a consumer has not read yet', LABELS);
const dead = gauge(
  'bus_dead_events',
  'Events that a consumer failed at for good and that wait for an operator',
  LABELS,
);

/** The cursor is not where it was read from: another replica has moved it, or it was set back. */
class Moved extends Error {
  constructor(readonly cursor: string | null) {
    super('the cursor has moved');
  }
}

/**
 * Applies the events of a consumer's topic in their order, each once: its effect and the cursor are one transaction in the context's database. An
 * event that cannot be applied is parked with all that follow of its stream, and tried again; the others go on. Replicas may run it at the same
 * time.
 */
export function startConsumer(deps: {
  service: string;
  bus: BusReader;
  db: Database;
  consumer: Consumer;
  config: Config;
  logger: Logger;
}): Loop {
  const { bus, db, consumer, config, logger } = deps;
  const { name, topic } = consumer;
  const labels = { service: deps.service, consumer: name };
  /** How far it has read, and how far its database says: what it passes over is noted when there is nothing else to do. */
  let at: { read: Cursor | null; noted: Cursor | null; passedOver: number } | undefined;
  let lookedAt = Number.NEGATIVE_INFINITY;
  let deadBefore = 0;

  const placeOf = (text: string | null) => {
    const cursor = text === null ? null : bus.cursor(text);
    return { read: cursor, noted: cursor, passedOver: 0 };
  };
  const isOfInterest = ({ event }: Placed) => consumer.types?.includes(event.type) ?? true;

  /**
   * Applies in one transaction what stands behind the noted cursor, or parks it all where an error is given, and moves the cursor.
   * @throws Moved
   */
  async function applyAll(items: readonly Placed[], to: Cursor, failure?: { error: unknown }): Promise<void> {
    const counts = { applied: 0, leftOut: 0 };
    await db.transaction(async (tx) => {
      const { cursor, now } = await lockCursor(tx, name);
      if (cursor !== at?.noted) throw new Moved(cursor);
      const held = items.length > 0 ? await heldStreams(tx, name) : new Set();
      await inStreamOrder(items, async (item) => {
        if (held.has(item.event.subject)) await park(tx, name, item);
        else if (failure) await park(tx, name, item, failure.error);
        else if (await act(tx, item, now)) counts.applied += 1;
        else counts.leftOut += 1;
      });
      await moveCursor(tx, name, to, counts.leftOut);
    });
    applied.inc(labels, counts.applied);
    leftOutCount.inc(labels, counts.leftOut);
    at = { read: to, noted: to, passedOver: 0 };
  }

  /** @returns false when the event is too old to act on */
  async function act(tx: Transaction, { event }: Pick<Placed, 'event'>, now: Date): Promise<boolean> {
    if (consumer.kind === 'projection') {
      await consumer.apply(tx, event);
      return true;
    }
    const age = now.getTime() - Date.parse(event.time);
    if (age > consumer.actsWithinSeconds * SECOND) return false;
    await consumer.apply(tx, event, config);
    return true;
  }

  /** All at once, and where that fails one by one: the one that fails is parked. */
  async function applyBatch(items: readonly Placed[], to: Cursor): Promise<void> {
    try {
      await applyAll(items, to);
    } catch (error) {
      if (error instanceof Moved) throw error;
      for (const item of items) await applyOne(item);
    }
  }

  async function applyOne(item: Placed): Promise<void> {
    try {
      await applyAll([item], item.cursor);
    } catch (error) {
      if (error instanceof Moved) throw error;
      logger.warn(
        { err: error, consumer: name, eventId: item.event.id },
        'an event could not be applied: it is parked',
      );
      // Where the database is away this fails as well, nothing is noted, and the event is next again.
      await applyAll([item], item.cursor, { error });
    }
  }

  async function noteDead(): Promise<void> {
    deadBefore = await countDead(db, name);
    dead.set(labels, deadBefore);
  }

  async function retryParked(): Promise<boolean> {
    if (performance.now() - lookedAt < LOOK_EVERY_MS) return false;
    lookedAt = performance.now();
    const due = await dueEvents(db, name);
    for (const parked of due) await retry(parked);
    // Also of what an operator has decided.
    if (due.length > 0 || deadBefore > 0) await noteDead();
    return due.length > 0;
  }

  async function retry(parked: Parked): Promise<void> {
    const cursor = bus.cursor(parked.cursor);
    const event = await bus.at(topic, cursor);
    try {
      const acted = await db.transaction(async (tx) => {
        const { now } = await lockCursor(tx, name);
        // Of a keyed topic a newer event of the stream stands behind the one that is gone, and says all.
        return (await unpark(tx, parked.id)) && event ? act(tx, { event }, now) : undefined;
      });
      if (acted !== undefined) (acted ? applied : leftOutCount).inc(labels);
    } catch (error) {
      const isDead = await noteFailure(db, parked, error);
      if (isDead) {
        logger.error(
          { err: error, consumer: name, eventId: parked.eventId, streamId: parked.streamId },
          'an event is dead: its stream waits until an operator has it tried again or skips it',
        );
      }
    }
  }

  async function consume(items: readonly Placed[], { read, noted, passedOver }: NonNullable<typeof at>): Promise<void> {
    const last = items.at(-1)?.cursor;
    const ofInterest = items.filter(isOfInterest);
    const passed = passedOver + items.length;
    if (last === undefined) {
      if (read !== null && read !== noted) await applyAll([], read);
    } else if (ofInterest.length > 0 || passed >= BATCH) await applyBatch(ofInterest, last);
    else at = { read: last, noted, passedOver: passed };
  }

  /** @returns whether there may be more */
  async function step(): Promise<boolean> {
    if (!at) {
      const begin = () => (consumer.kind === 'reactor' ? bus.tail(topic) : Promise.resolve(null));
      at = placeOf(await beginAt(db, consumer, begin));
      await noteDead();
    }
    const retried = await retryParked();
    const { items, behind } = await bus.read(topic, at.read, BATCH);
    lag.set(labels, behind + items.length);
    await consume(items, at);
    lag.set(labels, behind);
    return retried || behind > 0;
  }

  return startLoop({
    wait: () => bus.appended(topic, LOOK_EVERY_MS),
    step,
    failed(err, again) {
      // Where it stands is asked again: another replica may have moved it, also in the moment of an error.
      at = err instanceof Moved ? placeOf(err.cursor) : undefined;
      if (err instanceof Moved) return true;
      if (!again) logger.warn({ err, consumer: name }, 'events are not read for now; it is tried again');
      return false;
    },
  });
}

import { asc, isNull, sql } from 'drizzle-orm';
import type { z } from 'zod';
import type { Database, Transaction } from '../db/client';
import { events } from '../db/schema/platform';
import type { DatabaseContext } from '../kernel/modules';
import { OUTBOX, type Outbox } from './bus/relay';
import { enveloped } from './bus/transport';
import { announcing } from './changes';
import type { EventSchemas } from './event-schema';
import { uuidv7 } from './ids';

/** A fact about one aggregate. */
export interface DomainEvent<Schemas extends EventSchemas, Type extends keyof Schemas & string> {
  /** The aggregate's id. */
  streamId: string;
  type: Type;
  data: z.input<Schemas[Type]>;
}

/**
 * Appends an event to its stream in the transaction of the change it tells of. `schemas` are those of the context whose database it is.
 * The caller holds a lock on the aggregate's row, so versions of one stream never race; should that be forgotten, unique (stream_id,
 * version) refuses. @throws Error where the data is not what its schema says: a defect of the caller
 */
export async function appendEvent<Schemas extends EventSchemas, Type extends keyof Schemas & string>(
  tx: Transaction,
  schemas: Schemas,
  event: DomainEvent<Schemas, Type>,
): Promise<void> {
  return appendEvents(tx, schemas, [event]);
}

/** Appends events as `appendEvent` does, in this order and in one statement; none: does nothing. @throws as appendEvent */
export async function appendEvents<Schemas extends EventSchemas, Type extends keyof Schemas & string>(
  tx: Transaction,
  schemas: Schemas,
  appended: readonly DomainEvent<Schemas, Type>[],
): Promise<void> {
  if (appended.length === 0) return;
  const before = new Map<string, number>();
  const rows = appended.map(({ streamId, type, data }) => {
    // All rows of a statement see the same events before it.
    const ahead = (before.get(streamId) ?? 0) + 1;
    before.set(streamId, ahead);
    const version = sql`(select coalesce(max(version), 0) + ${ahead}::integer from events where stream_id = ${streamId})`;
    return { eventId: uuidv7(), streamId, type, data: conforming(schemas, type, data), version };
  });
  await tx.insert(events).values(rows).returning(announcing(OUTBOX));
}

function conforming<Schemas extends EventSchemas>(schemas: Schemas, type: string, data: unknown) {
  const schema: EventSchemas[string] | undefined = schemas[type];
  if (!schema) throw new Error(`No schema says what ${type} is`);
  const parsed = schema.safeParse(data);
  if (parsed.success) return parsed.data;
  // Not their values: an error is logged, and what does not belong into an event does not belong into a log either.
  const faults = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'data'}: ${message}`);
  throw new Error(`${type} is not what its schema says: ${faults.join('; ')}`);
}

/**
 * The outbox of every context: its table `events`. Its positions are no cursor, since they are handed out before the commit: what is unpublished
 * is found by its mark, whatever its position.
 */
export function outboxOf(context: DatabaseContext, db: Database): Outbox {
  return {
    topic: `${context}.events`,
    keyed: false,
    async unpublished(limit) {
      // A later version is written under the lock of the earlier one's row: in one stream positions and versions have one order.
      const rows = await db
        .select()
        .from(events)
        .where(isNull(events.publishedAt))
        .orderBy(asc(events.position))
        .limit(limit);
      return rows.map(({ eventId: id, type, streamId, version, occurredAt, data }) =>
        enveloped({ context, id, type, streamId, version, occurredAt, data }),
      );
    },
    async published(batch) {
      await db
        .update(events)
        .set({ publishedAt: sql`now()` })
        .where(sql`${events.eventId} = any(${sql.param(batch.map(({ id }) => id))}::uuid[])`);
    },
  };
}

import { sql } from 'drizzle-orm';
import type { Transaction } from '../db/client';
import { events } from '../db/schema/platform';
import { uuidv7 } from './ids';

/** A fact about one aggregate. `data` holds ids, states and money; free text and personal data only where its reader needs them. */
export interface DomainEvent {
  /** The aggregate's id. */
  streamId: string;
  type: string;
  data: Record<string, unknown>;
}

/**
 * Appends an event to its stream in the transaction of the change it tells of. The caller holds a lock on the
 * aggregate's row, so versions of one stream never race; should that be forgotten, unique (stream_id, version) refuses.
 */
export async function appendEvent(tx: Transaction, event: DomainEvent): Promise<void> {
  await tx.insert(events).values({
    eventId: uuidv7(),
    streamId: event.streamId,
    type: event.type,
    data: event.data,
    version: sql`(select coalesce(max(version), 0) + 1 from events where stream_id = ${event.streamId})`,
  });
}

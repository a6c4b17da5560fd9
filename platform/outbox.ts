import { sql } from 'drizzle-orm';
import type { z } from 'zod';
import type { Transaction } from '../db/client';
import { events } from '../db/schema/platform';
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
  { streamId, type, data }: DomainEvent<Schemas, Type>,
): Promise<void> {
  const schema: EventSchemas[string] | undefined = schemas[type];
  if (!schema) throw new Error(`No schema says what ${type} is`);
  const parsed = schema.safeParse(data);
  if (!parsed.success) {
    // Not their values: an error is logged, and what does not belong into an event does not belong into a log either.
    const faults = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'data'}: ${message}`);
    throw new Error(`${type} is not what its schema says: ${faults.join('; ')}`);
  }
  await tx.insert(events).values({
    eventId: uuidv7(),
    streamId,
    type,
    data: parsed.data,
    version: sql`(select coalesce(max(version), 0) + 1 from events where stream_id = ${streamId})`,
  });
}

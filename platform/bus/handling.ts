import type { z } from 'zod';
import type { Transaction } from '../../db/client';
import type { BusEvent } from './transport';

type Schemas = Readonly<Record<string, z.ZodObject>>;
type Handle<Schema extends z.ZodObject, Given extends readonly unknown[]> = (
  tx: Transaction,
  data: z.output<Schema>,
  event: BusEvent,
  ...given: Given
) => Promise<void>;
type Applied<Given extends readonly unknown[]> = (tx: Transaction, event: BusEvent, ...given: Given) => Promise<void>;

/**
 * What a consumer does of each type of event of one context, with their data as its schemas say; the others of the topic are passed over. A field
 * that a later version of the context adds is not looked at. An event whose data the schema refuses is one that cannot be applied. `Given`: what a
 * reactor is handed beside the event.
 */
export function handling<Of extends Schemas, Given extends readonly unknown[] = []>(
  schemas: Of,
  handlers: { [Type in keyof Of & string]?: Handle<Of[Type], Given> },
): { types: readonly string[]; apply: Applied<Given> } {
  const known = new Map<string, Applied<Given>>();
  for (const type in handlers) {
    const [schema, handle] = [schemas[type], handlers[type]];
    if (schema && handle) known.set(type, reading(schema, handle));
  }
  return {
    types: [...known.keys()],
    apply: async (tx, event, ...given) => known.get(event.type)?.(tx, event, ...given),
  };
}

function reading<Schema extends z.ZodObject, Given extends readonly unknown[]>(
  schema: Schema,
  handle: Handle<Schema, Given>,
): Applied<Given> {
  return (tx, event, ...given) => handle(tx, schema.parse(known(schema, event.data)), event, ...given);
}

/** Of data that which a schema names. */
function known({ shape }: z.ZodObject, data: Record<string, unknown> | null): Record<string, unknown> {
  return Object.fromEntries(Object.entries(data ?? {}).filter(([name]) => Object.hasOwn(shape, name)));
}

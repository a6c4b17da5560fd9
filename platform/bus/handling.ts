import type { z } from 'zod';
import type { Transaction } from '../../db/client';
import type { Apply } from './consumer';
import type { BusEvent } from './transport';

type Schemas = Readonly<Record<string, z.ZodObject>>;
type Handle<Schema extends z.ZodObject> = (tx: Transaction, data: z.output<Schema>, event: BusEvent) => Promise<void>;

/**
 * What a consumer does of each type of event of one context, with their data as its schemas say; the others of the topic are passed over. A field
 * that a later version of the context adds is not looked at. An event whose data the schema refuses is one that cannot be applied.
 */
export function handling<Of extends Schemas>(
  schemas: Of,
  handlers: { [Type in keyof Of & string]?: Handle<Of[Type]> },
): { types: readonly string[]; apply: Apply } {
  const known = new Map<string, Apply>();
  for (const type in handlers) {
    const [schema, handle] = [schemas[type], handlers[type]];
    if (schema && handle) known.set(type, reading(schema, handle));
  }
  return { types: [...known.keys()], apply: async (tx, event) => known.get(event.type)?.(tx, event) };
}

function reading<Schema extends z.ZodObject>(schema: Schema, handle: Handle<Schema>): Apply {
  return (tx, event) => handle(tx, schema.parse(known(schema, event.data)), event);
}

/** Of data that which a schema names. */
function known({ shape }: z.ZodObject, data: Record<string, unknown> | null): Record<string, unknown> {
  return Object.fromEntries(Object.entries(data ?? {}).filter(([name]) => Object.hasOwn(shape, name)));
}

import { z } from 'zod';
import { CurrencyCode, InstantOut, Uuid } from './schemas';

// What events are made of: ids, instants, money and closed lists. An event is kept for good and goes to whoever listens, so there is
// nothing here for a name, an address, a text or a link.

/** The events of a context: the type of each, and what its data is. */
export type EventSchemas = Readonly<Record<string, z.ZodType<Record<string, unknown>>>>;

/** An event of a context that has happened: `at` is when, ISO 8601. */
export type Happened<Schemas extends EventSchemas> = {
  [Type in keyof Schemas & string]: { type: Type; data: z.output<Schemas[Type]>; at: string };
}[keyof Schemas & string];

const Envelope = z.object({ type: z.string(), data: z.unknown(), at: InstantOut });

/** Whether something is an event as its schema says. */
export function isHappened<Schemas extends EventSchemas>(schemas: Schemas, what: unknown): what is Happened<Schemas> {
  const { success, data: envelope } = Envelope.safeParse(what);
  return success && schemas[envelope.type]?.safeParse(envelope.data).success === true;
}

/** What the keyed topics of a context hold: of each key the newest state, by the topic's address. */
export type KeyedTopics = Readonly<Record<string, z.ZodType<Record<string, unknown>>>>;

/** What an event's data is, and nothing else. `happened` says what has happened, for whoever reads of it. */
export function event<Shape extends z.ZodRawShape>(happened: string, shape: Shape) {
  return z.strictObject(shape).describe(happened);
}

/** The id of a thing or a person. */
export const Id = Uuid;

/** When something happened or is due. */
export const At = InstantOut;

/** An ISO 4217 code, such as EUR. */
export const Currency = CurrencyCode;

/** Integer minor units of an ISO 4217 currency. Negative only where a field says so. */
export const Amount = z.strictObject({ amount: z.int(), currency: CurrencyCode });

/**
 * The users whom a fact concerns, each once: who hears of it, and whose events are sought when they leave. Whoever only did it, as an
 * administrator does, is not among them.
 */
export const ParticipantIds = z
  .array(Uuid)
  .min(1)
  .refine((ids) => new Set(ids).size === ids.length, 'must name each user once')
  .meta({ uniqueItems: true });

/** `ids` as participants: a person who is two of them is one. */
export function participants(...ids: string[]): string[] {
  return [...new Set(ids)];
}

const CODE = /^[a-z0-9_.]{1,64}$/;

/** A word of ours or of a vendor's that programs read, such as `insufficient_funds`. */
export const Code = z.string().regex(CODE);

/** A vendor's word as a code; `other` for what is none, so that nobody's choice of words keeps money from being recorded. */
export function codeOf(word: string): string {
  return CODE.test(word) ? word : 'other';
}

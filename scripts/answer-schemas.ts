import { z } from 'zod';

/** Compares an answer with the schemas of an OpenAPI description, as far as Stripe's has them. */

interface Schema {
  $ref?: string | undefined;
  type?: string | undefined;
  nullable?: boolean | undefined;
  enum?: unknown[] | undefined;
  anyOf?: Schema[] | undefined;
  items?: Schema | undefined;
  properties?: Record<string, Schema> | undefined;
  required?: string[] | undefined;
}

const schema: z.ZodType<Schema> = z.lazy(() =>
  z.object({
    $ref: z.string().optional(),
    type: z.string().optional(),
    nullable: z.boolean().optional(),
    enum: z.array(z.unknown()).optional(),
    anyOf: z.array(schema).optional(),
    items: schema.optional(),
    properties: z.record(z.string(), schema).optional(),
    required: z.array(z.string()).optional(),
  }),
);

export const descriptionSchema = z.object({ components: z.object({ schemas: z.record(z.string(), schema) }) });
export type Description = z.output<typeof descriptionSchema>;

/** Fields that the version of our SDK has, and the description that comes with stripe-mock not yet. */
const LATER: ReadonlySet<string> = new Set([
  'intended_submission_method',
  'specified_commercial_transactions_act_url',
  'statement_descriptor_prefix_kana',
  'statement_descriptor_prefix_kanji',
  'submission_method',
]);

/**
 * What is wrong with an answer: its schema is that of the kind of object that it says it is; of a list the items are looked at.
 * @returns sentences that begin with `path`
 */
export function faultsOfAnswer(description: Description, path: string, answer: unknown): string[] {
  if (!isObject(answer)) return [`${path}: is no object`];
  const kind = String(field(answer, 'object'));
  const data = field(answer, 'data');
  if (kind === 'list' && Array.isArray(data)) {
    if (data.length === 0) return [`${path}: is an empty list, which says nothing`];
    return data.flatMap((item, n) => faultsOfAnswer(description, `${path}[${n}]`, item));
  }
  const known = description.components.schemas[kind];
  return known ? faults(description, path, answer, known) : [`${path}: Stripe has no ${kind}`];
}

function faults(description: Description, path: string, value: unknown, given: Schema): string[] {
  const named = given.$ref?.split('/').at(-1);
  const found = named === undefined ? given : description.components.schemas[named];
  if (!found) return [`${path}: its schema ${named} is missing`];
  if (value === null) return found.nullable || given.nullable ? [] : [`${path}: is null, which it never is at Stripe`];
  if (found.anyOf) return faultsOfBest(description, path, value, found.anyOf);
  if (found.enum && !found.enum.includes(value))
    return [`${path}: ${JSON.stringify(value)} is not one of ${found.enum}`];
  const kind = kindOf(value);
  if (found.type && found.type !== kind && !(found.type === 'number' && kind === 'integer'))
    return [`${path}: is of type ${kind} and not ${found.type}`];
  if (Array.isArray(value)) {
    return value.flatMap((item, n) => (found.items ? faults(description, `${path}[${n}]`, item, found.items) : []));
  }
  if (!isObject(value) || !found.properties) return [];
  const { properties, required = [] } = found;
  const missing = required.filter((name) => !(name in value)).map((name) => `${path}.${name}: is missing`);
  const wrong = Object.entries(value).flatMap(([name, part]) => {
    const expected = Object.hasOwn(properties, name) ? properties[name] : undefined;
    if (expected) return faults(description, `${path}.${name}`, part, expected);
    return LATER.has(name) ? [] : [`${path}.${name}: is not at Stripe`];
  });
  return [...missing, ...wrong];
}

/** The faults under the schema that fits best: none, if one fits, and else those of one of its own kind. */
function faultsOfBest(description: Description, path: string, value: unknown, schemas: Schema[]): string[] {
  const tried = schemas.map((one) => faults(description, path, value, one));
  const ofKind = (found: string[]) => found.filter((fault) => fault.startsWith(`${path}: `)).length;
  return tried.toSorted((one, other) => ofKind(one) - ofKind(other) || one.length - other.length)[0] ?? [];
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  return Number.isInteger(value) ? 'integer' : typeof value;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function field(value: object, name: string): unknown {
  return Reflect.get(value, name);
}

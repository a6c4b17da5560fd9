import { join } from 'node:path';
import { z } from 'zod';
import { DATABASE_CONTEXTS, type DatabaseContext } from '../kernel/modules';
import { Amount, Code, type EventSchemas, event, Id, ParticipantIds } from '../platform/event-schema';
import { filesBelow, ROOT, textOf } from './support/repository';

// What an event may hold: it is kept for good and goes to whoever listens.

function eventsOf(context: DatabaseContext): [type: string, schema: EventSchemas[string]][] {
  const room: Record<string, EventSchemas> = require(join(ROOT, 'services', context, 'events'));
  return Object.entries(room[`${context}Events`] ?? {});
}

const Type = z.enum(['object', 'array', 'string', 'integer', 'boolean', 'null']);

/** What is looked at of JSON Schema. What is not named here is no schema that an event may have. */
const Node = z
  .strictObject({
    $schema: z.string(),
    description: z.string(),
    type: z.union([Type, z.array(Type)]),
    format: z.string(),
    pattern: z.string(),
    minLength: z.int(),
    maxLength: z.int(),
    enum: z.array(z.string()).min(1),
    const: z.union([z.string(), z.number(), z.boolean()]),
    properties: z.record(z.string(), z.unknown()),
    required: z.array(z.string()),
    additionalProperties: z.unknown(),
    items: z.unknown(),
    uniqueItems: z.boolean(),
    minItems: z.int(),
    maxItems: z.int(),
    anyOf: z.array(z.unknown()).min(1),
    minimum: z.number(),
    maximum: z.number(),
  })
  .partial();
type Node = z.output<typeof Node>;

const patternOf = (schema: z.ZodType) => Node.parse(z.toJSONSchema(schema)).pattern;
const BOUNDED = [patternOf(Code), patternOf(Amount.shape.currency)];

/** Ids of things. Every other id is taken for a person's: who adds a thing says so here. */
const THINGS =
  /^(?:id|(?:booking|certification|debt|dispute|notification|payment|payout|refund|session|subject|transaction)Id)$/;
/** Who did it or whom it concerns, whatever its schema is. */
const PERSON = /(?:user|tutor|student|payer|payee|recipient|owner|author|admin|person|member)Ids?$|[a-z]By$/i;

/** What is wrong with an event's schema, by where it is. */
function faultsOf(schema: z.ZodType): string[] {
  const faults: string[] = [];
  const people = new Set<string>();

  function walk(at: string, name: string, json: unknown): void {
    const parsed = Node.safeParse(json);
    if (!parsed.success) {
      faults.push(`${at}: holds what no event may`);
      return;
    }
    const node = parsed.data;
    const isId = node.format === 'uuid';
    const isOfPeople = name !== 'participantIds' && (PERSON.test(name) || (isId && !THINGS.test(name)));
    if (isOfPeople) people.add(at);
    for (const one of node.anyOf ?? []) walk(at, name, one);
    if (node.anyOf || node.enum || node.const !== undefined) return;
    const types = [node.type ?? []].flat();
    if (types.length === 0) faults.push(`${at}: can be anything`);
    if (types.includes('string')) string(at, node);
    if (types.includes('array')) walk(`${at}[]`, name, node.items ?? {});
    if (types.includes('object')) object(at, node);
  }

  function string(at: string, { format, pattern }: Node): void {
    const isBounded = pattern !== undefined && BOUNDED.includes(pattern);
    if (format !== 'uuid' && format !== 'date-time' && !isBounded) faults.push(`${at}: is a free text`);
  }

  function object(at: string, { properties = {}, additionalProperties }: Node): void {
    if (additionalProperties !== false) faults.push(`${at}: takes what it does not name`);
    for (const [name, property] of Object.entries(properties)) walk(`${at}.${name}`, name, property);
  }

  const root: unknown = z.toJSONSchema(schema, { io: 'input' });
  walk('data', 'data', root);
  const { description, required = [], properties = {} } = Node.parse(root);
  if (!description) faults.push('data: does not say what has happened');
  const participants = JSON.stringify(properties.participantIds);
  if (people.size > 0 && !required.includes('participantIds'))
    faults.push(`${[...people].join(', ')}: somebody who is not told of in participantIds`);
  if (participants && !(participants.includes('"uniqueItems":true') && participants.includes('"format":"uuid"')))
    faults.push('data.participantIds: is no list of users');
  return faults;
}

test.each(DATABASE_CONTEXTS)(
  'the events of %s hold ids, instants, money and codes, and say whom they concern',
  (context) => {
    const events = eventsOf(context);
    expect(events.length).toBeGreaterThan(0);
    const faults = events.flatMap(([type, schema]) => faultsOf(schema).map((fault) => `${type}: ${fault}`));
    expect(faults).toEqual([]);
  },
);

const people = { userId: Id, participantIds: ParticipantIds };

test.each<[what: string, schema: z.ZodType, faults: string[]]>([
  ['a name', event('It was.', { name: z.string() }), ['data.name: is a free text']],
  ['a short name', event('It was.', { name: z.string().max(20) }), ['data.name: is a free text']],
  ['an address', event('It was.', { email: z.email() }), ['data.email: is a free text']],
  ['a link', event('It was.', { link: z.url() }), ['data.link: is a free text']],
  ['a pattern of its own', event('It was.', { word: z.string().regex(/^.{1,9}$/) }), ['data.word: is a free text']],
  ['a text that may be null', event('It was.', { name: z.string().nullable() }), ['data.name: is a free text']],
  ['a list of texts', event('It was.', { names: z.array(z.string()) }), ['data.names[]: is a free text']],
  ['a text deep inside', event('It was.', { a: z.strictObject({ b: z.string() }) }), ['data.a.b: is a free text']],
  ['what is unknown', event('It was.', { a: z.unknown() }), ['data.a: can be anything']],
  ['anything', event('It was.', { a: z.any() }), ['data.a: can be anything']],
  ['an open object', event('It was.', { a: z.looseObject({}) }), ['data.a: takes what it does not name']],
  [
    'an object that drops what it does not know',
    event('It was.', { a: z.object({}) }),
    ['data.a: takes what it does not name'],
  ],
  ['an open whole', z.looseObject({}).describe('It was.'), ['data: takes what it does not name']],
  ['a record', event('It was.', { a: z.record(z.string(), Id) }), ['data.a: holds what no event may']],
  ['no word of what happened', z.strictObject({ bookingId: Id }), ['data: does not say what has happened']],
  [
    'a user who is not told of',
    event('It was.', { userId: Id }),
    ['data.userId: somebody who is not told of in participantIds'],
  ],
  [
    'an admin who is not told of',
    event('It was.', { verifiedBy: Id }),
    ['data.verifiedBy: somebody who is not told of in participantIds'],
  ],
  [
    'an id that nobody knows',
    event('It was.', { guestId: Id }),
    ['data.guestId: somebody who is not told of in participantIds'],
  ],
  [
    'a user by a code',
    event('It was.', { payerId: Code }),
    ['data.payerId: somebody who is not told of in participantIds'],
  ],
  [
    'users in a list',
    event('It was.', { students: z.array(Id) }),
    ['data.students[]: somebody who is not told of in participantIds'],
  ],
  [
    'a user deep inside',
    event('It was.', { parts: z.array(z.strictObject({ tutorId: Id.nullable() })) }),
    ['data.parts[].tutorId: somebody who is not told of in participantIds'],
  ],
  [
    'participants who may be left out',
    event('It was.', { userId: Id, participantIds: ParticipantIds.optional() }),
    ['data.userId: somebody who is not told of in participantIds'],
  ],
  [
    'participants who are codes',
    event('It was.', { userId: Id, participantIds: z.array(Code) }),
    ['data.participantIds: is no list of users'],
  ],
  [
    'participants who may be named twice',
    event('It was.', { userId: Id, participantIds: z.array(Id) }),
    ['data.participantIds: is no list of users'],
  ],
])('%s would be caught', (_, schema, faults) => {
  expect(faultsOf(schema)).toEqual(faults);
});

test('what concerns people, and says so, is none of it', () => {
  expect(
    faultsOf(event('It was.', { ...people, why: Code, price: Amount.nullable(), kind: z.enum(['a', 'b']) })),
  ).toEqual([]);
});

const sources = filesBelow(
  '.',
  (path) => /^(services|platform|workers|db)\/.*\.ts$/.test(path) && !/\.test\.ts$/.test(path),
);

/** What is wrong with how a context writes its events. The compiler knows whether a type is one of the schemas at hand. */
function faultsOfWriting(context: string, types: readonly string[], texts: ReadonlyMap<string, string>): string[] {
  const own = [...texts].filter(([path]) => path.startsWith(`services/${context}/`));
  const writers = own.filter(([path]) => !path.startsWith(`services/${context}/events`));
  const unwritten = types.filter((type) => !writers.some(([, text]) => text.includes(`'${type}'`)));
  const foreign = own.flatMap(([path, text]) =>
    [...text.matchAll(/appendEvents?\(\s*\w+,\s*(\w+)/g)]
      .filter(([, schemas]) => schemas !== `${context}Events`)
      .map(([, schemas]) => `${path}: writes ${schemas}`),
  );
  return [...unwritten.map((type) => `${type}: nobody writes it`), ...foreign];
}

/** Who writes into an outbox beside `appendEvent`, which no schema holds. */
const writersOfRows = (texts: ReadonlyMap<string, string>) =>
  [...texts].filter(([, text]) => /insert\(events\)|insert into "?events\b/i.test(text)).map(([path]) => path);

const texts = new Map(sources.map((path) => [path, textOf(path)]));

test.each(DATABASE_CONTEXTS)('every event that %s declares is written there, by its own schemas', (context) => {
  const types = eventsOf(context).map(([type]) => type);
  expect(faultsOfWriting(context, types, texts)).toEqual([]);
});

test('nobody writes an event but appendEvent', () => {
  expect(writersOfRows(texts)).toEqual(['platform/outbox.ts']);
});

test('an event that nobody writes, one of another context and a row of one’s own would be caught', () => {
  const planted = new Map([
    ['services/review/events.ts', "ReviewPublished: event('…'), ReviewHidden: event('…')"],
    [
      'services/review/store.ts',
      "appendEvent(\n  tx,\n  bookingEvents, { type: 'ReviewPublished' }); tx.insert(events).values({})",
    ],
    ['services/other/store.ts', "sql`insert into events (type) values ('ReviewHidden')`"],
  ]);
  expect(faultsOfWriting('review', ['ReviewPublished', 'ReviewHidden'], planted)).toEqual([
    'ReviewHidden: nobody writes it',
    'services/review/store.ts: writes bookingEvents',
  ]);
  expect(writersOfRows(planted)).toEqual(['services/review/store.ts', 'services/other/store.ts']);
});

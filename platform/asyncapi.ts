import { z } from 'zod';
import { At, type EventSchemas, Id, type KeyedTopics } from './event-schema';

/** What a service tells others. */
export interface Published {
  events: EventSchemas;
  keyed?: KeyedTopics | undefined;
}

/** The AsyncAPI 3.0 document of what a context tells others: the topic of its events, and those that keep a newest state. */
export function asyncApiDocument(context: string, { events, keyed = {} }: Published) {
  const topics = [
    [`${context}.events`, eventsChannel(context, events)] as const,
    ...Object.entries(keyed).map(keyedTopic),
  ];
  return {
    asyncapi: '3.0.0',
    info: { title: context, version: '1.0.0', license: { name: 'MIT' } },
    defaultContentType: 'application/json',
    channels: Object.fromEntries(topics),
    operations: Object.fromEntries(topics.map(([address]) => [address, sending(address)])),
  };
}

function sending(address: string) {
  return { action: 'send', channel: { $ref: `#/channels/${address}` } };
}

function eventsChannel(context: string, events: EventSchemas) {
  const messages = Object.entries(events).map(([type, data]) => [
    type,
    {
      name: type,
      title: type,
      summary: data.description,
      contentType: 'application/cloudevents+json',
      payload: schemaOf(cloudEvent(context, type, data)),
    },
  ]);
  return {
    address: `${context}.events`,
    title: `What happens in ${context}`,
    description:
      'An event whose `id` is known is the same again. Of one `subject` they are counted by `streamversion`, from 1 and without a gap.',
    messages: Object.fromEntries(messages),
  };
}

/** An event in the JSON format of CloudEvents 1.0, with an extension attribute of ours. Others may come along. */
function cloudEvent(context: string, type: string, data: EventSchemas[string]) {
  return z.looseObject({
    specversion: z.literal('1.0'),
    id: Id,
    source: z.literal(`/${context}`),
    type: z.literal(type),
    subject: Id.describe('The thing or person whose events are counted together'),
    time: At,
    datacontenttype: z.literal('application/json'),
    streamversion: z.int().min(1),
    data,
  });
}

function keyedTopic([address, state]: [string, KeyedTopics[string]]) {
  const message = { name: address, title: address, summary: state.description, payload: schemaOf(state.nullable()) };
  const channel = {
    address,
    title: `The newest state of each key in ${address}`,
    description: 'A message takes the place of every one before it with its key; null: there is nothing any more.',
    messages: { state: { ...message, 'x-key': schemaOf(Id) } },
  };
  return [address, channel] as const;
}

/** JSON Schema as AsyncAPI has it, which is draft 7. What a format says no pattern says again. */
function schemaOf(schema: z.ZodType) {
  const { $schema: _, ...described } = z.toJSONSchema(schema, {
    target: 'draft-7',
    override({ jsonSchema }) {
      if (jsonSchema.format) delete jsonSchema.pattern;
    },
  });
  return described;
}

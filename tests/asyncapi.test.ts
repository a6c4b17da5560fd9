import { Parser } from '@asyncapi/parser';
import { DATABASE_CONTEXTS, ROUTED_CONTEXTS } from '../kernel/modules';
import { asyncApiDocument } from '../platform/asyncapi';
import { definitionOf } from '../services';
import { mergeTopics, ServiceTopics } from '../services/gateway/docs/asyncapi';

// What the platform's services tell, as AsyncAPI's own parser reads it.

const parser = new Parser();
/** The parser's own codes: 0 is an error, 1 a warning; what is above is advice, such as that there is a newer AsyncAPI. */
const WARNING = 1;

async function faultsOf(document: unknown): Promise<string[]> {
  const { diagnostics } = await parser.parse(JSON.stringify(document));
  return diagnostics
    .filter(({ severity }) => severity <= WARNING)
    .map(({ message, path }) => `${path.join('.')}: ${message}`);
}

const ofAll = () => {
  const parts = DATABASE_CONTEXTS.map((context) => {
    const document: unknown = JSON.parse(JSON.stringify(asyncApiDocument(context, definitionOf(context))));
    return [context, ServiceTopics.parse(document)] as const;
  });
  return mergeTopics(ROUTED_CONTEXTS, new Map(parts), 'https://api.example.org');
};

test('each document of a service, and that of all of them, is AsyncAPI', async () => {
  for (const context of DATABASE_CONTEXTS)
    expect({ context, faults: await faultsOf(asyncApiDocument(context, definitionOf(context))) }).toEqual({
      context,
      faults: [],
    });
  expect(await faultsOf(ofAll())).toEqual([]);
});

test('what is none is found out', async () => {
  const all = ofAll();
  const nowhere = { ...all, operations: { tell: { action: 'send', channel: { $ref: '#/channels/nowhere' } } } };
  expect(await faultsOf(nowhere)).toEqual([expect.stringContaining('#/channels/nowhere')]);
  expect(await faultsOf({ ...all, channels: { odd: { address: 7 } }, operations: {} })).not.toEqual([]);
});

test('every event of every context is a CloudEvent with its data', async () => {
  const { document } = await parser.parse(JSON.stringify(ofAll()));
  for (const context of DATABASE_CONTEXTS) {
    const channel = document?.channels().get(`${context}.events`);
    const { events } = definitionOf(context);
    expect(
      channel
        ?.messages()
        .all()
        .map((message) => message.id())
        .toSorted(),
    ).toEqual(Object.keys(events).toSorted());
    for (const message of channel?.messages().all() ?? [])
      expect(message.payload()?.json()).toMatchObject({
        properties: {
          ...{ specversion: { const: '1.0' }, source: { const: `/${context}` }, type: { const: message.id() } },
          ...{ subject: { format: 'uuid' }, streamversion: { type: 'integer' } },
          data: { type: 'object', additionalProperties: false, description: message.summary() },
        },
        required: expect.arrayContaining([
          'specversion',
          'id',
          'source',
          'type',
          'subject',
          'time',
          'streamversion',
          'data',
        ]),
      });
  }
});

test('people have a topic of their own: under their id stands what they are called now, or nothing any more', async () => {
  const { document } = await parser.parse(JSON.stringify(ofAll()));
  const [message] = document?.channels().get('identity.people')?.messages().all() ?? [];
  expect(message?.json()).toMatchObject({ 'x-key': { type: 'string', format: 'uuid' } });
  expect(message?.payload()?.json()).toMatchObject({
    anyOf: [
      { required: expect.arrayContaining(['displayName', 'avatarUrl', 'role', 'timeZone', 'locale', 'status']) },
      { type: 'null' },
    ],
  });
});

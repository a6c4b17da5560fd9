import { z } from 'zod';
import type { RoutedContext } from '../../../kernel/modules';

const Named = z.record(z.string(), z.unknown());

/** The parts of a service's own AsyncAPI document that are taken over. */
export const ServiceTopics = z.object({
  asyncapi: z.string().startsWith('3.0.'),
  channels: Named,
  operations: Named,
});
export type ServiceTopics = z.output<typeof ServiceTopics>;

/** One AsyncAPI 3.0 document of what services tell: of each the topics whose addresses begin with its name. */
export function mergeTopics(
  contexts: readonly RoutedContext[],
  documents: ReadonlyMap<RoutedContext, ServiceTopics>,
  publicUrl: string,
) {
  const taken = (kind: 'channels' | 'operations') =>
    Object.fromEntries(
      contexts.flatMap((context) =>
        Object.entries(documents.get(context)?.[kind] ?? {}).filter(([name]) => name.startsWith(`${context}.`)),
      ),
    );
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'TutorConnect events',
      version: '1.0.0',
      description: DESCRIPTION,
      contact: { name: 'TutorConnect', url: `${publicUrl}/docs` },
      license: { name: 'MIT' },
    },
    defaultContentType: 'application/json',
    channels: taken('channels'),
    operations: taken('operations'),
  };
}

const DESCRIPTION = [
  "What the platform's services tell each other. Clients have no access to these topics.",
  '',
  '- An event is a CloudEvent 1.0 in JSON. It holds ids, states, instants, money and codes, and nobody’s name, address or text.',
  '- `data.participantIds` are the users whom it concerns.',
  '- An event type may get further members. One that is there keeps its meaning.',
].join('\n');

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { FACTS } from '../kernel/facts';
import { DATABASE_CONTEXTS } from '../kernel/modules';
import { definitionOf } from '../services';
import { filesBelow, ROOT, textOf } from './support/repository';

// kernel/facts.ts says what contexts know of each other and how. What they really read is held against it.

const known = FACTS.flatMap(({ fact, owner, users }) => users.map((user) => ({ fact, owner, ...user })));

/** The consumers that there are: those of services' definitions, and the gateway's, each of which has a file of its name. */
function consumers(): { context: string; consumer: string; topic: string }[] {
  const inServices = DATABASE_CONTEXTS.flatMap((context) =>
    (definitionOf(context).consumers ?? []).map(({ name, topic }) => ({ context, consumer: name, topic })),
  );
  const inMemory = filesBelow('services', (path) => path.endsWith('.ts') && !path.endsWith('.test.ts'))
    .map((path) => [path, /startMemory\(\{[^}]*topic: '([^']+)'/.exec(textOf(path))?.[1]] as const)
    .flatMap(([path, topic]) => {
      const [, context = '', consumer = ''] = path.split(/[/.]/);
      return topic === undefined ? [] : [{ context, consumer, topic }];
    });
  return [...inServices, ...inMemory];
}

test('every consumer of the bus is declared, with the owner whose topic it reads, and every declared one is there', () => {
  const declared = known.flatMap((user) =>
    user.by === 'bus' ? [`${user.context}/${user.consumer} reads ${user.owner}`] : [],
  );
  const real = consumers().map(
    ({ context, consumer, topic }) => `${context}/${consumer} reads ${topic.slice(0, topic.indexOf('.'))}`,
  );
  expect(real.length).toBeGreaterThan(2);
  expect(declared.toSorted()).toEqual(real.toSorted());
});

test('what an activity hands over comes from a client of its owner and goes to one of its user', () => {
  const handed = known.flatMap((user) => (user.by === 'activity' ? [user] : []));
  expect(handed.length).toBeGreaterThan(0);
  for (const { file, owner, context } of handed) {
    expect([file, existsSync(join(ROOT, file))]).toEqual([file, true]);
    for (const side of [owner, context]) expect(textOf(file)).toContain(`clientOf('${side}'`);
  }
});

test('a token tells those who serve people, and nobody declares a fact of their own as known by one', () => {
  for (const { context, by, owner } of known) {
    if (by !== 'token') continue;
    expect(context).not.toBe(owner);
    const serves = DATABASE_CONTEXTS.some(
      (name) =>
        name === context && Object.values(definitionOf(name).contract).some(({ path }) => path.startsWith('/api/')),
    );
    expect([context, serves]).toEqual([context, true]);
  }
});

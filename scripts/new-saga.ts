import { existsSync, readFileSync } from 'node:fs';
import { sourcePath } from '../dev/machine/paths';
import {
  CONTEXT_NAMES,
  type ContextName,
  contextOf,
  DATABASE_CONTEXTS,
  moduleOf,
  QUEUES,
  SAGAS,
} from '../kernel/modules';
import {
  argumentsOf,
  change,
  command,
  inserted,
  rewriteLists,
  run,
  UsageError,
  upperFirst,
  writeFrom,
} from './generate';
import { markdownTable } from './markdown-table';

// Makes a saga that runs: see services/README.md. Compiled: dist/scripts/new-saga.js.

const USAGE = `npm run new-saga -- <name> --context <context> [--path <path>]

Makes a saga that reserves a thing of a context, with an undo, and settles it after the pivot: its workflow and api, its activities, the
operation that begins it, its page, its tests and stories; and enters it in kernel/modules.ts, workflows/index.ts, README.md and, where it is
the first on its queue, docker-compose.temporal.yml.
  <name>     words of a-z joined by -: its kind, its files and its id
  --context  the context that it belongs to, as new-context makes them
  --path     what stands after /api/<context's path>/{id}/, <name>s by default`;

interface NewSaga {
  /** The name as it was given: files and ids. */
  kind: string;
  context: ContextName;
  /** Of the saga, after the thing's own. */
  path: string;
  queue: string;
}

/** What JavaScript and TypeScript keep for themselves among words of a-z. */
const RESERVED = new Set(
  (
    'await break case catch class const continue debugger default delete do else enum export extends false finally for function if ' +
    'implements import in instanceof interface let new null package private protected public return static super switch this throw true ' +
    'try typeof var void while with yield'
  ).split(' '),
);

/** @throws UsageError saying what to write instead, or what the context lacks */
function newSagaOf(args: string[]): NewSaga {
  const { name: kind, given } = argumentsOf(args, USAGE, ['context', 'path']);
  const path = given('path') ?? `${kind}s`;
  if (!/^[a-z]{2,30}(-[a-z]{2,30}){0,3}$/.test(kind) || RESERVED.has(kind))
    throw new UsageError(`A saga is named by words of a-z that are joined by -, not ${kind}`);
  if (!/^[a-z]+(-[a-z]+)*$/.test(path)) throw new UsageError(`A path is made of a-z and -, not ${path}`);
  const context = DATABASE_CONTEXTS.find((candidate) => candidate === given('context'));
  if (!context) throw new UsageError(`Say whose saga it is: --context ${DATABASE_CONTEXTS.join(', ')}`);
  if (SAGAS.some((saga) => saga === kind)) throw new UsageError(`There is a saga ${kind} already`);
  if (CONTEXT_NAMES.some((candidate) => candidate === kind))
    throw new UsageError(`${kind} is a context: a saga of it is named by what happens, such as ${kind}-loan`);
  const files = Object.values(filesOf({ kind, context }));
  const taken = [...files, `services/${context}/${kind}`].find((file) => existsSync(sourcePath(file)));
  if (taken) throw new UsageError(`${taken} is there already: choose another name`);
  const missing = missingIn(context);
  if (missing) throw new UsageError(`${missing}: a saga is made for contexts as new-context makes them`);
  const queue = contextOf(context).ownQueue === undefined ? moduleOf(context) : context;
  return { kind, context, path, queue };
}

/** What the saga calls of the context and is not there; undefined when all is. */
function missingIn(context: ContextName): string | undefined {
  const Name = upperFirst(context);
  const wanted: [room: string, what: string][] = [
    ...['reserve', 'release', 'settle'].map((step): [string, string] => ['contract', `${step}${Name}: endpoint(`]),
    ...['reserve', 'release', 'settle'].map((step): [string, string] => ['client', `${step}:`]),
    ...['create', 'read'].map((verb): [string, string] => ['store', `function ${verb}${Name}(`]),
    ['rules', 'function maySee('],
  ];
  for (const [room, what] of wanted) {
    const file = `services/${context}/${room}.ts`;
    if (!existsSync(sourcePath(file))) return `There is no ${file}`;
    if (!readFileSync(sourcePath(file), 'utf8').includes(what)) return `${file} has no \`${what}\``;
  }
  return undefined;
}

/** The files of a saga, by their templates. */
function filesOf({ kind, context }: Pick<NewSaga, 'kind' | 'context'>): Record<string, string> {
  const own = (room: string) => [room, `services/${context}/${kind}/${room}`];
  return {
    'api.ts': `workflows/${kind}.api.ts`,
    'workflow.ts': `workflows/${kind}.ts`,
    'workflow.test.ts': `workflows/${kind}.test.ts`,
    'activities.ts': `activities/${kind}.ts`,
    ...Object.fromEntries(['contract.ts', 'routes.ts', 'routes.test.ts', 'store.ts'].map(own)),
    'page.md': `docs/sagas/${kind}.md`,
    'examples.ts': `tests/support/saga-examples/${kind}.ts`,
    'play.ts': `tests/support/step-plays/${kind}.ts`,
    'scenario.ts': `scripts/scenarios/${kind}.ts`,
    'profiles.txt': `workflows/histories/${kind}/profiles.txt`,
  };
}

/** What the templates speak of. */
function factsOf({ kind, context: name, path, queue }: NewSaga): Record<string, string> {
  const words = kind.replaceAll('-', ' ');
  const Saga = kind.split('-').map(upperFirst).join('');
  const saga = Saga.charAt(0).toLowerCase() + Saga.slice(1);
  const stepsTable = markdownTable(
    ['step', 'do', 'undo', 'runs'],
    [
      ['`reserve`', `\`reserve${Saga}\``, `\`release${Saga}\``, 'local'],
      ['`settle`', `\`settle${Saga}\``, 'none: after the **pivot**', 'recorded, until done'],
    ],
  );
  const failuresTable = markdownTable(
    ['what happens', 'outcome'],
    [
      [`another saga has reserved the ${name}, or it is settled`, '`reserve` is refused; nothing is left, Compensated'],
      [`${name} is away before the pivot`, 'tried for a minute and a half, then undone: it may have happened'],
      [`${name} is away after it`, '`settle` is tried until it is done; NeedsAttention after an hour'],
      ['an answer is lost', 'the step is asked again under its key, and done once'],
      [`its ${name} is erased meanwhile`, '`reserve` is refused, `release` and `settle` are harmless'],
      ['Temporal is away at the start', '503: nothing has begun; the same key begins it later'],
    ],
  );
  return {
    ...{ kind, saga, Saga, words, Words: upperFirst(words), STEPS: `${kind.replaceAll('-', '_').toUpperCase()}_STEPS` },
    ...{ name, Name: upperFirst(name), queue, sagaPath: path, stepsTable, failuresTable },
    path: contextOf(name).prefixes[0]?.replace('/api/', '') ?? `${name}s`,
  };
}

/** The one list with the saga in its context. @throws Error when the list is not written as it is expected to be */
function listed(list: string, { kind, context }: NewSaga): string {
  const begin = list.indexOf('sagas: [', list.indexOf(`\n      ${context}: {`));
  if (begin < 0) throw new Error(`kernel/modules.ts has no sagas of ${context}`);
  const comma = contextOf(context).sagas.length > 0 ? ', ' : '';
  return inserted(list, `${comma}'${kind}'`, ']', begin);
}

function exported(index: string, { kind }: NewSaga, saga: string): string {
  const [first = '', ...lines] = index.trimEnd().split('\n');
  const line = `export { ${saga} } from './${kind}';`;
  return `${[first, ...[...lines, line].toSorted((a, b) => (a.split('from ')[1] ?? '').localeCompare(b.split('from ')[1] ?? ''))].join('\n')}\n`;
}

async function main(args: string[]): Promise<void> {
  const made = newSagaOf(args);
  const { kind, context, queue } = made;
  const facts = factsOf(made);
  const written = writeFrom('new-saga', filesOf(made), facts);
  change('kernel/modules.ts', (list) => listed(list, made));
  change('workflows/index.ts', (index) => exported(index, made, String(facts.saga)));
  const isFirst = !QUEUES.some(({ name }) => name === queue);
  const formatted = [...written.filter((file) => file.endsWith('.ts')), 'kernel/modules.ts', 'workflows/index.ts'];
  await run('npx', ['biome', 'check', '--write', ...formatted]);
  console.log(
    `entered  in kernel/modules.ts (${context}) and workflows/index.ts${isFirst ? ` with worker:${queue}` : ''}`,
  );
  await rewriteLists('compose-services', 'readme-lists');
  console.log(`entered  in README.md${isFirst ? ' and docker-compose.temporal.yml' : ''}`);
  console.log(`
It runs:   npm start    then POST /api/${facts.path}/{id}/${facts.sagaPath}
Test it:   npx jest ${kind}
Record it: npm run record-histories -- ${kind}    until then workflows/replay.test.ts says that it has no histories
Still yours: what it really does, its faults in tests/faults, and a line in CHANGELOG.md.`);
}

command(USAGE, main);

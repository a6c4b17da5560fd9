import { readFileSync, writeFileSync } from 'node:fs';
import { sourcePath } from '../dev/machine/paths';
import {
  contextOf,
  contextsOf,
  DATABASE_CONTEXTS,
  MODULE_NAMES,
  MODULES,
  partsOf,
  QUEUES,
  workerOf,
} from '../kernel/modules';
import { markdownTable } from './markdown-table';
import { split, withMarked } from './marked';

// Writes what README.md says of every context, worker and module from the one list. Run it from the root of the project after a change of
// kernel/modules.ts.

const joined = (names: readonly string[]) => names.join(' & ');

/** The lines of the diagram that name all contexts or all workers, by how they begin. */
const DIAGRAM: Record<string, string> = {
  '  gateway --> ': joined(DATABASE_CONTEXTS),
  '  temporal --- ': `workers[workers: ${QUEUES.map(({ name }) => name).join(', ')}]`,
  '  workers -- each step once, by idempotency key --> ': joined(DATABASE_CONTEXTS),
  '  bus[(event bus)] <-- events --> ': joined(DATABASE_CONTEXTS),
};

const BEGIN = '<!-- from kernel/modules.ts -->';
const END = '<!-- end -->';

const quoted = (names: readonly string[]) => names.map((name) => `\`${name}\``).join(', ');

function lists(): string {
  const services = MODULE_NAMES.flatMap((module) =>
    partsOf(contextsOf(module))
      .services.filter((name) => name in MODULES[module].contexts)
      .map((name) => {
        const { about, port, prefixes } = contextOf(name);
        return [`\`${name}\``, module, String(port), about, quoted(prefixes)];
      }),
  );
  const pages = (sagas: readonly string[]) => sagas.map((saga) => `[${saga}](docs/sagas/${saga}.md)`).join(', ');
  const workers = QUEUES.map(({ name, sagas }) => [`\`${workerOf(name)}\``, pages(sagas)]);
  return [
    markdownTable(['service', 'module', 'port', 'what it is for', 'paths'], services),
    markdownTable(['worker', 'the sagas it carries'], workers),
  ].join('\n\n');
}

/** @returns README.md as it should be. @throws Error when a place for a list is missing */
export function withLists(readme: string): string {
  const filled = withMarked(readme, BEGIN, END, `\n\n${lists()}\n\n`);
  return Object.entries(DIAGRAM).reduce((text, [start, end]) => {
    const [above, line] = split(text, `\n${start}`);
    return `${above}\n${start}${end}${line.slice(line.indexOf('\n'))}`;
  }, filled);
}

/** Compiled, this file is dist/scripts/readme-lists.js. */
if (require.main === module) {
  const path = sourcePath('README.md');
  writeFileSync(path, withLists(readFileSync(path, 'utf8')));
}

import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { sourcePath } from '../dev/machine/paths';
import { CONTEXT_NAMES, contextOf, MANAGEMENT_PORT, ROUTED_CONTEXTS } from '../kernel/modules';
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

// Makes a context that runs: see services/README.md. Compiled: dist/scripts/new-context.js.

const USAGE = `npm run new-context -- <name> [--module <module>] [--path <path>] [--about <what it is for>]

Makes services/<name> with contract, events, rules, store, routes, client and tests, its table and its first migration, and enters it in
kernel/modules.ts, docker-compose.temporal.yml, .env.example and README.md.
  <name>     one word of a-z: its folder, its settings, its database and its role
  --module   the module it belongs to, core by default; one that there is not is made, and can be switched off by MODULES
  --path     what stands after /api/, <name>s by default
  --about    a line for the API reference and README.md`;

interface NewContext {
  name: string;
  module: string;
  path: string;
  about: string;
  port: number;
}

/** @throws UsageError saying what to write instead */
function newContextOf(args: string[]): NewContext {
  const { name, given } = argumentsOf(args, USAGE, ['module', 'path', 'about']);
  const module = given('module') ?? 'core';
  const path = given('path') ?? `${name}s`;
  const about = given('about') ?? `What is kept as ${path}`;
  if (!/^[a-z]{2,30}$/.test(name)) throw new UsageError(`A context is named by one word of a-z, not ${name}`);
  if (!/^[a-z]{2,30}$/.test(module)) throw new UsageError(`A module is named by one word of a-z, not ${module}`);
  if (!/^[a-z]+(-[a-z]+)*$/.test(path)) throw new UsageError(`A path is made of a-z and -, not ${path}`);
  if (/['\\\n]/.test(about)) throw new UsageError('--about is a line without quotes');
  const taken = CONTEXT_NAMES.find((context) => context === name);
  if (taken || existsSync(sourcePath(`services/${name}`))) throw new UsageError(`There is a context ${name} already`);
  if (name === 'bus') throw new UsageError('bus names the database of the event bus: say another name');
  const owner = ROUTED_CONTEXTS.find((context) =>
    contextOf(context).prefixes.some((prefix) => prefix === `/api/${path}`),
  );
  if (owner) throw new UsageError(`/api/${path} leads to ${owner} already: say another --path`);
  const ports = CONTEXT_NAMES.map((context) => contextOf(context).port);
  return { name, module, path, about, port: Math.max(...ports.filter((port) => port < MANAGEMENT_PORT)) + 1 };
}

/** What stands outside the context's folder. */
const ELSEWHERE: Readonly<Record<string, (name: string) => string>> = {
  'schema.ts': (name) => `db/schema/${name}.ts`,
  'undo-scenes.ts': (name) => `tests/support/undo-scenes/${name}.ts`,
};

/** Writes the rooms, the tests and the table. @returns what it wrote */
function writeRooms({ name, path, about }: NewContext): string[] {
  const facts = { name, Name: upperFirst(name), path, table: path.replaceAll('-', '_'), about };
  const rooms = readdirSync(sourcePath('scripts/new-context')).map((template) => template.replace(/\.hbs$/, ''));
  const files = rooms.map((room) => [room, ELSEWHERE[room]?.(name) ?? join('services', name, room)]);
  return writeFrom('new-context', Object.fromEntries(files), facts);
}

/** The one list with the context in its module. @throws Error when the list is not written as it is expected to be */
function listed(list: string, { name, module, path, about, port }: NewContext): string {
  const entry = `
      ${name}: {
        about: '${about}',
        port: ${port},
        database: true,
        prefixes: ['/api/${path}'],
        sagas: [],
      },`;
  const begin = list.indexOf(`\n  ${module}: {\n    contexts: {`);
  if (begin >= 0) return inserted(list, entry, '\n    },\n    needs:', begin);
  const made = `\n  ${module}: {\n    contexts: {${entry}\n    },\n    needs: [],\n    formerQueues: [],\n  },`;
  return inserted(list, made, '\n} as const satisfies Record<string, Module>;');
}

async function main(args: string[]): Promise<void> {
  const context = newContextOf(args);
  const { name, module, path, port } = context;
  const written = writeRooms(context);
  change('kernel/modules.ts', (list) => listed(list, context));
  await run('npx', ['biome', 'check', '--write', ...written, 'kernel/modules.ts']);
  console.log(`entered  in kernel/modules.ts (${module}, port ${port})`);
  const generate = ['drizzle-kit', 'generate', '--config', 'db/drizzle.config.ts', '--name', 'init'];
  await run('npx', generate, { CONTEXT: name });
  console.log(`made     db/migrations/${name}`);
  await rewriteLists('compose-services', 'env-example', 'readme-lists');
  console.log('entered  in docker-compose.temporal.yml, .env.example and README.md');
  console.log(`
It runs:  npm start -- gateway identity ${name}    then http://127.0.0.1:8000/api/${path}
Test it:  npx jest services/${name}
Still yours: what it is really for, and a line in CHANGELOG.md.`);
}

command(USAGE, main);

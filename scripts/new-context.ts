import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import Handlebars from 'handlebars';
import { messageOf } from '../dev/machine/error-code';
import { sourcePath } from '../dev/machine/paths';
import { runCommand } from '../dev/machine/run-command';
import { CONTEXT_NAMES, contextOf, MANAGEMENT_PORT, ROUTED_CONTEXTS } from '../kernel/modules';

// Makes a context that runs: see services/README.md. Compiled: dist/scripts/new-context.js.

const USAGE = `npm run new-context -- <name> [--module <module>] [--path <path>] [--about <what it is for>]

Makes services/<name> with contract, rules, store, routes, client and tests, its table and its first migration, and enters it in
kernel/modules.ts, docker-compose.temporal.yml, .env.example and README.md.
  <name>     one word of a-z: its folder, its settings, its database and its role
  --module   the module it belongs to, core by default; one that there is not is made, and can be switched off by MODULES
  --path     what stands after /api/, <name>s by default
  --about    a line for the API reference and README.md`;

/** What keeps a context from being made; for a person to read. */
class UsageError extends Error {
  override readonly name = 'UsageError';
}

interface NewContext {
  name: string;
  module: string;
  path: string;
  about: string;
  port: number;
}

/** @throws UsageError saying what to write instead */
function newContextOf(args: string[]): NewContext {
  const { values, positionals } = parsed(args);
  const [name, ...more] = positionals;
  if (!name || more.length > 0) throw new UsageError(USAGE);
  const { module = 'core', path = `${name}s`, about = `What is kept as ${path}` } = values;
  if (!/^[a-z]{2,30}$/.test(name)) throw new UsageError(`A context is named by one word of a-z, not ${name}`);
  if (!/^[a-z]{2,30}$/.test(module)) throw new UsageError(`A module is named by one word of a-z, not ${module}`);
  if (!/^[a-z]+(-[a-z]+)*$/.test(path)) throw new UsageError(`A path is made of a-z and -, not ${path}`);
  if (/['\\\n]/.test(about)) throw new UsageError('--about is a line without quotes');
  const taken = CONTEXT_NAMES.find((context) => context === name);
  if (taken || existsSync(sourcePath(`services/${name}`))) throw new UsageError(`There is a context ${name} already`);
  const owner = ROUTED_CONTEXTS.find((context) =>
    contextOf(context).prefixes.some((prefix) => prefix === `/api/${path}`),
  );
  if (owner) throw new UsageError(`/api/${path} leads to ${owner} already: say another --path`);
  const ports = CONTEXT_NAMES.map((context) => contextOf(context).port);
  return { name, module, path, about, port: Math.max(...ports.filter((port) => port < MANAGEMENT_PORT)) + 1 };
}

function parsed(args: string[]) {
  const option = { type: 'string' } as const;
  try {
    return parseArgs({ args, allowPositionals: true, options: { module: option, path: option, about: option } });
  } catch (error) {
    throw new UsageError(`${messageOf(error)}\n\n${USAGE}`);
  }
}

/** Writes the rooms, the tests and the table. @returns what it wrote */
function writeRooms({ name, path, about }: NewContext): string[] {
  const facts = { name, Name: name[0]?.toUpperCase() + name.slice(1), path, table: path.replaceAll('-', '_'), about };
  const templates = sourcePath('scripts/new-context');
  mkdirSync(sourcePath(`services/${name}`));
  return readdirSync(templates).map((template) => {
    const room = template.replace(/\.hbs$/, '');
    const file = room === 'schema.ts' ? `db/schema/${name}.ts` : join('services', name, room);
    const write = Handlebars.compile(readFileSync(join(templates, template), 'utf8'), { noEscape: true, strict: true });
    writeFileSync(sourcePath(file), write(facts));
    return file;
  });
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

/** The compose file with the service, in a profile of its own when its module can be switched off. */
function composed(compose: string, { name, module, port }: NewContext): string {
  const upper = name.toUpperCase();
  const url = `  ${upper}_URL: http://${name}:${port}\n`;
  const database = `postgres://${name}:\${${upper}_DATABASE_PASSWORD:?scripts/compose-env.ts derives it from DATABASE_ROLE_SECRET}@postgres:5432/${name}_db`;
  const service = `  ${name}:
    <<: *service${module === 'core' ? '' : `\n    profiles: [${module}]`}
    command: [${name}]
    environment:
      <<: *environment
      ${upper}_DATABASE_URL: ${database}

`;
  return inserted(inserted(compose, url, '\n# A service starts when'), service, '  worker-');
}

/** @returns `text` with `more` before the first `place` after `from` */
function inserted(text: string, more: string, place: string, from = 0): string {
  const at = text.indexOf(place, from);
  if (at < 0) throw new Error(`There is no ${JSON.stringify(place)} to insert before`);
  return text.slice(0, at) + more + text.slice(at);
}

function change(file: string, by: (text: string) => string): void {
  writeFileSync(sourcePath(file), by(readFileSync(sourcePath(file), 'utf8')));
}

/** @throws Error with what it said */
async function run(command: string, args: string[], env: Record<string, string> = {}): Promise<void> {
  const { code, errors } = await runCommand(command, args, { env: { ...process.env, ...env }, cwd: sourcePath('.') });
  if (code !== 0) throw new Error(`${command} ${args.join(' ')}: ${errors}`);
}

async function main(args: string[]): Promise<void> {
  if (args.includes('--help')) return console.log(USAGE);
  const context = newContextOf(args);
  const { name, module, path, port } = context;
  const written = writeRooms(context);
  console.log(written.map((file) => `made     ${file}`).join('\n'));
  change('kernel/modules.ts', (list) => listed(list, context));
  change('docker-compose.temporal.yml', (compose) => composed(compose, context));
  await run('npx', ['biome', 'check', '--write', ...written, 'kernel/modules.ts']);
  console.log(`entered  in kernel/modules.ts (${module}, port ${port}) and docker-compose.temporal.yml`);
  const generate = ['drizzle-kit', 'generate', '--config', 'db/drizzle.config.ts', '--name', 'init'];
  await run('npx', generate, { CONTEXT: name });
  console.log(`made     db/migrations/${name}`);
  console.log('building, for .env.example and README.md');
  await run('npm', ['run', '-s', 'build']);
  await run(process.execPath, ['dist/scripts/env-example.js']);
  await run(process.execPath, ['dist/scripts/readme-lists.js']);
  console.log(`
It runs:  npm start -- gateway identity ${name}    then http://127.0.0.1:8000/api/${path}
Test it:  npx jest services/${name}
Still yours: what it is really for, and a line in CHANGELOG.md.`);
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(messageOf(error));
  process.exitCode = 1;
});

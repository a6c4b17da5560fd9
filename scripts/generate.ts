import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { transformFileSync } from '@swc/core';
import Handlebars from 'handlebars';
import { messageOf } from '../dev/machine/error-code';
import { sourcePath } from '../dev/machine/paths';
import { runCommand } from '../dev/machine/run-command';

// What new-context, new-saga and new-mail do alike: they read their arguments, write files from templates, and enter what is new in files
// that are there.

/** What keeps a thing from being made; for a person to read. Nothing was written. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The one name and the options of a command, each a text. @throws UsageError with `usage` */
export function argumentsOf<Option extends string>(args: string[], usage: string, options: readonly Option[]) {
  const config: ParseArgsConfig['options'] = Object.fromEntries(options.map((option) => [option, { type: 'string' }]));
  try {
    const { values, positionals } = parseArgs({ args, allowPositionals: true, options: config });
    const [name, ...more] = positionals;
    if (name === undefined || more.length > 0) throw new UsageError(usage);
    const given = (option: Option) => {
      const value = values[option];
      return typeof value === 'string' ? value : undefined;
    };
    return { name, given };
  } catch (error) {
    throw error instanceof UsageError ? error : new UsageError(`${messageOf(error)}\n\n${usage}`);
  }
}

/** Writes each file from its template in the folder `templates` beside this program. @returns what it wrote */
export function writeFrom(
  templates: string,
  files: Readonly<Record<string, string>>,
  facts: Readonly<Record<string, string>>,
): string[] {
  return Object.entries(files).map(([template, file]) => {
    const source = readFileSync(sourcePath(join('scripts', templates, `${template}.hbs`)), 'utf8');
    mkdirSync(dirname(sourcePath(file)), { recursive: true });
    writeFileSync(sourcePath(file), Handlebars.compile(source, { noEscape: true, strict: true })(facts));
    console.log(`made     ${file}`);
    return file;
  });
}

export const upperFirst = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

/** @returns `text` with `more` before the first `place` after `from`. @throws Error when there is no such place */
export function inserted(text: string, more: string, place: string, from = 0): string {
  const at = text.indexOf(place, from);
  if (at < 0) throw new Error(`There is no ${JSON.stringify(place)} to insert before`);
  return text.slice(0, at) + more + text.slice(at);
}

export function change(file: string, by: (text: string) => string): void {
  writeFileSync(sourcePath(file), by(readFileSync(sourcePath(file), 'utf8')));
}

/** @throws Error with what it said */
export async function run(command: string, args: string[], env: Record<string, string> = {}): Promise<void> {
  const { code, output } = await runCommand(command, args, { env: { ...process.env, ...env }, cwd: sourcePath('.') });
  if (code !== 0) throw new Error(`${command} ${args.join(' ')}: ${output}`);
}

/**
 * Writes anew what is written from `kernel/modules.ts`: by `programs` of `dist/scripts`, which need that file compiled and no other. The
 * next build does the rest.
 */
export async function rewriteLists(...programs: string[]): Promise<void> {
  const { code } = transformFileSync(sourcePath('kernel/modules.ts'), {
    configFile: false,
    jsc: { target: 'es2023', parser: { syntax: 'typescript' } },
    module: { type: 'commonjs' },
  });
  writeFileSync(sourcePath('dist/kernel/modules.js'), code);
  for (const program of programs) await run(process.execPath, [join('dist', 'scripts', `${program}.js`)]);
}

/** Runs a command of a person: what it throws is said, without a stack. */
export function command(usage: string, main: (args: string[]) => Promise<void>): void {
  const args = process.argv.slice(2);
  const done = args.includes('--help') ? Promise.resolve(console.log(usage)) : main(args);
  done.catch((error: unknown) => {
    console.error(messageOf(error));
    process.exitCode = 1;
  });
}

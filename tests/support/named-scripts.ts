import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { ROOT, textOf } from './repository';

// What texts of this repository tell a person to run, and whether it is there.

const packageSchema = z.object({ scripts: z.record(z.string(), z.string()) });
const scriptsOf = (folder: string) => packageSchema.parse(JSON.parse(textOf(join(folder, 'package.json')))).scripts;
const scripts = new Map(['.', 'bench'].map((folder) => [folder, scriptsOf(folder)]));

// `npm run build`, `npm run -s build`, `npm -s run build`, `npm --prefix bench run bench`, `npm start`.
const COMMAND = /\bnpm (?:(?:-s|--prefix (?<folder>[\w.]+)) )*(?<run>run (?:-s )?)?(?<word>[a-z][a-z\d:-]*)/g;
const SHORTHANDS = new Set(['start', 'test']);
const BUILT_IN = new Set(['ci', 'install', 'run']);

function commandsIn(text: string) {
  return [...text.matchAll(COMMAND)].map(({ groups: { folder = '.', run, word = '' } = {} }) => ({
    folder,
    word,
    isScript: run !== undefined || SHORTHANDS.has(word),
  }));
}

/** The npm scripts that a text tells to run and that do not exist, in the package whose folder `--prefix` names. */
export function missingScripts(text: string): string[] {
  return commandsIn(text)
    .filter(({ folder, word, isScript }) => isScript && !Object.hasOwn(scripts.get(folder) ?? {}, word))
    .map(({ word }) => word);
}

/** The words after `npm` that are no command of npm's which this project uses. For documents: comments also write about npm. */
export function unknownCommands(text: string): string[] {
  return commandsIn(text)
    .filter(({ word, isScript }) => !isScript && !BUILT_IN.has(word))
    .map(({ word }) => word);
}

/** The sources that are missing of compiled programs which a text names: `dist/…/x.js` is compiled from `…/x.ts`. */
export function missingPrograms(text: string): string[] {
  return [...text.matchAll(/\bdist\/([\w/.-]+)\.js\b/g)]
    .map(([, name = '']) => `${name}.ts`)
    .filter((name) => !existsSync(join(ROOT, name)));
}

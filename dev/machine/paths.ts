import { existsSync } from 'node:fs';
import { join } from 'node:path';

// Compiled, this file is dist/dev/machine/paths.js; under Jest it is dev/machine/paths.ts.
const root = join(__dirname, ...(__filename.endsWith('.ts') ? ['..', '..'] : ['..', '..', '..']));

/** A file of the source tree, by its path from the project's root. */
export const sourcePath = (path: string) => join(root, path);

/** A compiled file, by its path under `dist`. @throws Error when the project was not built */
export function compiledPath(path: string): string {
  const file = join(root, 'dist', path);
  if (!existsSync(file)) throw new Error(`${file} is missing: run \`npm run build\``);
  return file;
}

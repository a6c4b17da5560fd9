import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

// The files of this repository, for tests that read them.

export const ROOT = join(__dirname, '../..');
const SKIPPED = new Set(['node_modules', 'dist', 'coverage', '.git', '.data']);

/** The text of a file, by its path from the repository's root. */
export const textOf = (path: string) => readFileSync(join(ROOT, path), 'utf8');

/** The paths of all files of the repository, or of a copy at `root`, that are wanted. What is installed or built is left out. */
export function filesBelow(folder: string, wanted: (path: string) => boolean, root = ROOT): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (SKIPPED.has(entry.name)) return [];
    if (entry.isDirectory()) return filesBelow(path, wanted, root);
    return wanted(path) ? [path] : [];
  });
}

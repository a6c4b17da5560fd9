import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Makes a data folder for one test under the system's temporary folder. Others may pass through it, because
 * Postgres's own user cannot enter a folder of mode 700.
 */
export function temporaryDataDir(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tutorconnect-data-'));
  chmodSync(folder, 0o711);
  return folder;
}

/** Removes a data folder, and the data that Postgres keeps elsewhere when its user could not reach the folder. */
export function removeDataDir(folder: string): void {
  const note = join(folder, 'postgres.location');
  const elsewhere = existsSync(note) ? readFileSync(note, 'utf8').trim() : undefined;
  for (const path of elsewhere ? [elsewhere, `${elsewhere}.password-mark`, folder] : [folder]) {
    rmSync(path, { recursive: true, force: true });
  }
}

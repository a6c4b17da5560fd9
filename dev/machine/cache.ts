import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where tools that take long to get are kept for all clones on this machine: `$XDG_CACHE_HOME/tutorconnect` or `~/.cache/tutorconnect`. */
export function cacheFolder(environment: NodeJS.ProcessEnv = process.env): string {
  return join(environment.XDG_CACHE_HOME || join(homedir(), '.cache'), 'tutorconnect');
}

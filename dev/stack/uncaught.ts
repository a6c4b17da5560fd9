import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { UNCAUGHT } from '../../platform/uncaught';

/** What the processes of a platform said of errors that nobody caught: the process and its log line, for each. */
export function uncaughtIn(dataDir: string): string[] {
  const logs = join(dataDir, 'logs');
  return readdirSync(logs).flatMap((file) =>
    readFileSync(join(logs, file), 'utf8')
      .split('\n')
      .filter((line) => line.includes(UNCAUGHT))
      .map((line) => `${file.replace(/\.log$/, '')}: ${line}`),
  );
}

import { readdirSync } from 'node:fs';
import { sourcePath } from '../machine/paths';
import { runCommand } from '../machine/run-command';

// A network that swallows packets would keep the SDK trying for minutes. A download that works has begun by then.
const PATIENCE_MS = 20_000;
const LIMIT_MS = 600_000;

/**
 * Lets the Temporal SDK download one of its servers as `file`, by way of the empty folder `into`. The SDK runs in a
 * process of its own, because its native part would stay in the memory of this one.
 * @returns false when that is not possible from here
 */
export async function downloadBySdk(
  kind: 'dev-server' | 'time-skipping',
  into: string,
  file: string,
): Promise<boolean> {
  const hopeless = new AbortController();
  const patience = setTimeout(() => readdirSync(into).length === 0 && hopeless.abort(), PATIENCE_MS);
  const { code } = await runCommand(process.execPath, [sourcePath('scripts/sdk-download.js'), kind, into, file], {
    timeoutMs: LIMIT_MS,
    signal: hopeless.signal,
  });
  clearTimeout(patience);
  return code === 0;
}

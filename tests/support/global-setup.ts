import { randomUUID } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startThrowawayPostgres } from '../../dev/postgres/throwaway';
import { alreadyBuilt } from '../../dev/processes/build-once';
import { temporalBinary } from '../../dev/temporal/binary';
import { timeSkippingServer } from '../../dev/temporal/test-server';

declare global {
  var stopTestPostgres: (() => Promise<void>) | undefined;
}

const say = (line: string) => void process.stderr.write(`${line}\n`);

/**
 * One Postgres for all test files; each file makes databases of its own in it (`tests/support/database.ts`). Temporal's servers are
 * got before the first test: on a new machine that takes minutes, which no test's time limit allows for.
 */
export default async function setup({ watch, watchAll }: Record<'watch' | 'watchAll', boolean>): Promise<void> {
  await temporalBinary(say);
  await timeSkippingServer({ say });
  const server = await startThrowawayPostgres();
  const run = randomUUID();
  process.env.TEST_RUN = run;
  // `npm test` builds before it starts Jest; the longest tests, which come first, would all wait for a second time.
  if (process.env.npm_lifecycle_event === 'test' && !watch && !watchAll) alreadyBuilt(run);
  // What the test files of this run share; the teardown removes it.
  process.env.TEST_FOLDER = mkdtempSync(join(tmpdir(), 'tutorconnect-test-run-'));
  process.env.TEST_POSTGRES_URL = server.url;
  globalThis.stopTestPostgres = () => server.stop();
}

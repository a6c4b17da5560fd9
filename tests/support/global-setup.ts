import { randomUUID } from 'node:crypto';
import { startThrowawayPostgres } from '../../dev/postgres/throwaway';
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
export default async function setup(): Promise<void> {
  await temporalBinary(say);
  await timeSkippingServer({ say });
  const server = await startThrowawayPostgres();
  process.env.TEST_RUN = randomUUID();
  process.env.TEST_POSTGRES_URL = server.url;
  globalThis.stopTestPostgres = () => server.stop();
}

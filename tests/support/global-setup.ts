import { randomUUID } from 'node:crypto';
import { startThrowawayPostgres } from '../../dev/throwaway-postgres';

declare global {
  var stopTestPostgres: (() => Promise<void>) | undefined;
}

/** One Postgres for all test files; each file makes databases of its own in it (`tests/support/database.ts`). */
export default async function setup(): Promise<void> {
  const server = await startThrowawayPostgres();
  process.env.TEST_RUN = randomUUID();
  process.env.TEST_POSTGRES_URL = server.url;
  globalThis.stopTestPostgres = () => server.stop();
}

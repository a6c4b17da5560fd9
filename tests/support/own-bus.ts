import { randomBytes } from 'node:crypto';
import { ensureDatabase, migrateDatabase } from '../../db/migrate';
import { busUrl, ownerUrl } from '../../db/roles';
import { startThrowawayPostgres } from '../../dev/postgres/throwaway';
import { type Frozen, freeze } from '../../dev/processes/freeze';
import { openBus } from '../../platform/bus/open';

/** Longer than a test may take. */
const LONGEST_MS = 120_000;

/** A bus on a server of its own, which can hang while all other databases go on. */
export async function startOwnBus() {
  const secret = randomBytes(32).toString('base64url');
  const server = await startThrowawayPostgres();
  await ensureDatabase(server.url, 'bus', secret);
  await migrateDatabase(ownerUrl(server.url, 'bus', secret), 'bus');
  const urls = {
    bus_appender: busUrl(server.url, 'bus_appender', secret),
    bus_reader: busUrl(server.url, 'bus_reader', secret),
  };
  return {
    /** The bus as one more process has it, which closes it. */
    open: () => openBus({ busUrl: urls, LOG_LEVEL: 'silent' }),
    /** From now on the server accepts connections and says nothing, until it is thawed. */
    freeze: (): Frozen => freeze(server.pid, LONGEST_MS),
    stop: () => server.stop(),
  };
}

export type OwnBus = Awaited<ReturnType<typeof startOwnBus>>;

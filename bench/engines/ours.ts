import { openDatabase } from '../../db/client';
import { createChanges } from '../../platform/changes';
import { createLogger } from '../../platform/telemetry';
import { createSagas } from '../../platform/temporal';
import { requestOutcome } from '../../services/booking/rules/request';
import { readProgress } from '../../services/booking/store/reads';
import { startWorker } from '../../workers/worker';
import { bookingSaga } from '../../workflows/booking.api';
import type { StartEngine } from './engine';

const PATIENCE_MS = 60_000;

/**
 * The product's own saga and worker in one process, so that each saga is handed to the worker as it starts. The
 * gateway and the booking endpoint are left out. The caller is answered as by the product: from booking's database,
 * when Postgres announces that the row has changed.
 */
export const startOurs: StartEngine = async ({ config }) => {
  const url = config.databaseUrl.booking;
  if (!url) throw new Error('booking has no database');
  const database = openDatabase(url, { poolSize: config.DATABASE_POOL_SIZE, applicationName: 'bench' });
  const changes = createChanges(database, createLogger('bench', config.LOG_LEVEL));
  const sagas = createSagas(config);
  const worker = await startWorker('booking', { config, sagas });
  return {
    async book({ requestedAt: _, ...input }) {
      const id = input.bookingId;
      await sagas.start(bookingSaga, input);
      const outcome = await changes.until(
        id,
        Date.now() + PATIENCE_MS,
        async () => requestOutcome(id, await readProgress(database.db, id)),
        ({ kind }) => kind === 'made' || kind === 'refused',
      );
      if (outcome.kind === 'made') return { outcome: 'confirmed' };
      if (outcome.kind === 'refused') return { outcome: 'refused', code: outcome.problem.code };
      throw new Error(`No answer within ${PATIENCE_MS} ms`);
    },
    async close() {
      changes.close();
      await worker.close();
      await sagas.close();
      await database.close();
    },
  };
};

import { openDatabase } from '../../db/client';
import { createLogger } from '../../platform/telemetry';
import { createSagas } from '../../platform/temporal';
import { outcomeOf } from '../../services/booking/rules';
import { readProgress } from '../../services/booking/store';
import { createWatcher } from '../../services/booking/watch.store';
import { bookingSaga } from '../../workflows/booking.api';
import type { StartEngine } from './engine';

const LOOK_EVERY_MS = 1_000;
const PATIENCE_MS = 60_000;

/**
 * The product's own saga without its gateway and its booking endpoint: started by a client, run by the product's worker, and
 * answered as the product does, from booking's database when Postgres announces that the row has changed.
 */
export const startOurs: StartEngine = async ({ config }) => {
  const url = config.databaseUrl.booking;
  if (!url) throw new Error('booking has no database');
  const database = openDatabase(url, { poolSize: config.DATABASE_POOL_SIZE, applicationName: 'bench' });
  const watcher = createWatcher(database, createLogger('bench', config.LOG_LEVEL));
  const sagas = createSagas(config);
  return {
    async book({ requestedAt: _, ...input }) {
      const watch = watcher.watch(input.bookingId);
      const deadline = Date.now() + PATIENCE_MS;
      try {
        await sagas.start(bookingSaga, input);
        for (;;) {
          const outcome = outcomeOf(input.bookingId, await readProgress(database.db, input.bookingId));
          if (outcome.kind === 'made') return { outcome: 'confirmed' };
          if (outcome.kind === 'refused') return { outcome: 'refused', code: outcome.problem.code };
          if (Date.now() > deadline) throw new Error(`No answer within ${PATIENCE_MS} ms`);
          await watch.next(LOOK_EVERY_MS);
        }
      } finally {
        watch.stop();
      }
    },
    async close() {
      watcher.close();
      await sagas.close();
      await database.close();
    },
  };
};

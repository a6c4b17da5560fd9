import { openDatabase } from '../../db/client';
import { DATABASE_CONTEXTS, type DatabaseContext } from '../../kernel/modules';
import type { Projection } from '../../platform/bus/consumer';
import { openReader } from '../../platform/bus/postgres';
import { rebuild } from '../../platform/bus/rebuild';
import { checkFolds, type FoldedTable } from '../../platform/fold';
import { createLogger } from '../../platform/telemetry';
import { definitionOf } from '../../services';
import { foldedBookings } from '../../services/booking/store/fold';
import { foldedTables } from '../../services/payment/folds/store';
import type { RunningPlatform } from '../stack/platform';

/** Makes each projection anew from the first event on, and says which differ from their rows. */
export async function projectionsDiffer({ environment }: Pick<RunningPlatform, 'environment'>): Promise<string[]> {
  const reader = openReader(environment.BUS_READER_DATABASE_URL ?? '', 'chaos', createLogger('chaos', 'warn'));
  const wrong: string[] = [];
  try {
    for (const context of DATABASE_CONTEXTS) {
      const consumers = definitionOf(context).consumers ?? [];
      for (const projection of consumers.filter((one): one is Projection => one.kind === 'projection')) {
        const url = environment[`${context.toUpperCase()}_DATABASE_URL`] ?? '';
        const own = openDatabase(url, { poolSize: 1, applicationName: 'chaos' });
        try {
          const { different, behind } = await rebuild(own.db, reader, projection, { replace: false });
          if (behind > 0) wrong.push(`${context} has not read ${behind} events of ${projection.topic}`);
          for (const [table, rows] of Object.entries(different)) {
            if (rows > 0) wrong.push(`${table} of ${context}, made anew from its events, differs by ${rows} rows`);
          }
        } finally {
          await own.close();
        }
      }
    }
  } finally {
    await reader.close();
  }
  return wrong;
}

/** The tables whose rows are what their events say, by their contexts. */
const FOLDED: readonly (readonly [DatabaseContext, readonly FoldedTable[]])[] = [
  ['booking', [foldedBookings]],
  ['payment', foldedTables],
];
/** All rows of a run. */
const ALL = 1_000_000;

/** The run itself has payments become due earlier, past all events. */
const MOVED_HERE = 'earningsDueAt';

/** Rows that are not what their events say, in sentences. */
export async function foldsDiffer({ environment }: Pick<RunningPlatform, 'environment'>): Promise<string[]> {
  const wrong: string[] = [];
  for (const [context, tables] of FOLDED) {
    const url = environment[`${context.toUpperCase()}_DATABASE_URL`] ?? '';
    const own = openDatabase(url, { poolSize: 1, applicationName: 'chaos' });
    try {
      const { checked, different } = await checkFolds(own.db, tables, { limit: ALL });
      if (checked === 0) wrong.push(`no row of ${context} was held to its events`);
      for (const { kind, id, columns } of different) {
        const unsaid = columns.filter((column) => column !== MOVED_HERE);
        if (unsaid.length > 0) wrong.push(`${kind} ${id} is not what its events say: ${unsaid.join(', ')}`);
      }
    } finally {
      await own.close();
    }
  }
  return wrong;
}

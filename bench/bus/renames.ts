import { setTimeout as sleep } from 'node:timers/promises';
import { openDatabase } from '../../db/client';
import { updateProfile } from '../../services/identity/store/users';
import type { Stack } from '../stack';

const POOL_SIZE = 8;

/**
 * Every user changes their name as by `PATCH /api/users/{id}`, `rate` of them a second, whether or not earlier ones have. It is written by the
 * product's own store from here: what a request waits for in the gateway and the service is not what is measured.
 */
export async function renameAll({ platform }: Stack, userIds: readonly string[], rate: number): Promise<void> {
  const url = platform.environment.IDENTITY_DATABASE_URL ?? '';
  const { db, close } = openDatabase(url, { poolSize: POOL_SIZE, applicationName: 'bench' });
  const began = performance.now();
  const writing = userIds.map(async (id, index) => {
    await sleep(Math.max(0, began + (index * 1_000) / rate - performance.now()));
    await updateProfile(db, undefined, id, { firstName: 'Renamed' });
  });
  try {
    await Promise.all(writing);
  } finally {
    await Promise.allSettled(writing);
    await close();
  }
}

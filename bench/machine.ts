import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import type { Sql } from 'postgres';
import { z } from 'zod';
import { sourcePath } from '../dev/machine/paths';
import type { RunningPlatform } from '../dev/stack/platform';
import type { Machine } from './results';

const LOOK_MS = 3_000;

/** Watches for a few seconds how busy the machine is. The load average would still hold earlier measurements. */
export async function describeMachine(): Promise<Machine> {
  const before = busyMs();
  await sleep(LOOK_MS);
  const busyCores = Math.round(((busyMs() - before) / LOOK_MS) * 10) / 10;
  const [first] = cpus();
  return {
    cpu: first?.model ?? 'unknown',
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    system: `${process.platform} ${release().split('-', 1)[0]}`,
    node: process.versions.node,
    busyCores,
    startedAt: new Date().toISOString(),
  };
}

const busyMs = () => cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0);

/** Above this the figures say little. */
export const isBusy = ({ busyCores, cores }: Machine) => busyCores > cores / 8;

const PACKAGES: Record<string, string> = {
  temporal: '@temporalio/client',
  dbos: '@dbos-inc/dbos-sdk',
  graphile: 'graphile-worker',
  restate: '@restatedev/restate-server',
};

const packageSchema = z.object({ dependencies: z.record(z.string(), z.string()) });

/** Versions of the engines, which both package files pin. */
export function pinnedVersions(): Record<string, string> {
  const files = ['package.json', 'bench/package.json'].map((file) => readFileSync(sourcePath(file), 'utf8'));
  const pinned = Object.assign({}, ...files.map((file) => packageSchema.parse(JSON.parse(file)).dependencies));
  return Object.fromEntries(Object.entries(PACKAGES).map(([name, pack]) => [name, String(pinned[pack])]));
}

/** Versions of the engines, and of the servers as they say themselves. */
export async function versionsOf(stack: {
  database(context: 'booking'): Sql;
  platform: RunningPlatform;
}): Promise<Record<string, string>> {
  const [row] = await stack.database('booking')<{ server_version: string }[]>`show server_version`;
  const connection = await Connection.connect({ address: stack.platform.config.TEMPORAL_ADDRESS });
  const info = await connection.workflowService.getSystemInfo({});
  await connection.close();
  return {
    ...pinnedVersions(),
    postgres: row?.server_version ?? 'unknown',
    'temporal-server': info.serverVersion ?? 'unknown',
  };
}

import { readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { z } from 'zod';
import { sourcePath } from '../dev/paths';
import type { Machine } from './results';
import type { Stack } from './stack';

export function describeMachine(): Machine {
  const [first] = cpus();
  return {
    ...{ cpu: first?.model ?? 'unknown', cores: cpus().length, memoryGb: Math.round(totalmem() / 2 ** 30) },
    ...{ system: `${process.platform} ${release()}`, node: process.versions.node },
    ...{ loadBefore: Math.round((loadavg()[0] ?? 0) * 100) / 100, startedAt: new Date().toISOString() },
  };
}

const PACKAGES: Record<string, string> = {
  temporal: '@temporalio/client',
  dbos: '@dbos-inc/dbos-sdk',
  graphile: 'graphile-worker',
  restate: '@restatedev/restate-server',
};

const packageSchema = z.object({ dependencies: z.record(z.string(), z.string()) });

/** Versions of the engines, which both package files pin, and of the servers as they say themselves. */
export async function versionsOf(stack: Stack): Promise<Record<string, string>> {
  const files = ['package.json', 'bench/package.json'].map((file) => readFileSync(sourcePath(file), 'utf8'));
  const pinned = Object.assign({}, ...files.map((file) => packageSchema.parse(JSON.parse(file)).dependencies));
  const [row] = await stack.database('booking')<{ server_version: string }[]>`show server_version`;
  const info = await stack.temporal.workflowService.getSystemInfo({});
  return {
    ...Object.fromEntries(Object.entries(PACKAGES).map(([name, pack]) => [name, String(pinned[pack])])),
    postgres: row?.server_version ?? 'unknown',
    'temporal-server': info.serverVersion ?? 'unknown',
  };
}

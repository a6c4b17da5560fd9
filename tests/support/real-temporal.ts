import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePortSettings } from '../../dev/machine/ports';
import { launch } from '../../dev/processes/launch';
import { embeddedTemporal } from '../../dev/temporal/server';
import { type Config, loadConfig } from '../../platform/config';
import { prepareNamespace } from '../../platform/temporal-namespace';

/**
 * Temporal's real server, for one test file, and the settings by which it is found. It advises a saga to continue as a new run after
 * `eventsOfARun` events, 4,096 where nothing else is said.
 */
export async function startRealTemporal(eventsOfARun = 4_096): Promise<{ config: Config; close(): Promise<void> }> {
  const DATA_DIR = mkdtempSync(join(tmpdir(), 'tutorconnect-temporal-'));
  const SERVICE_TOKEN_SECRET = 'a-secret-for-tests-a-secret-for-tests';
  const settings = { ...(await freePortSettings()), DATA_DIR, SERVICE_TOKEN_SECRET, LOG_LEVEL: 'silent' };
  const config = loadConfig(settings, 'no-env-file-in-tests');
  const server = await launchTemporal(config, [`limit.historyCount.suggestContinueAsNew=${eventsOfARun}`]);
  await prepareNamespace(config, () => undefined, []);
  return {
    config,
    async close() {
      await server.close();
      rmSync(DATA_DIR, { recursive: true, force: true });
    },
  };
}

/** A Temporal server of a test. */
export interface TemporalServer {
  pid: number | undefined;
  close(): Promise<void>;
}

/** The embedded server of `config`, with dynamic configuration beyond its own; the namespace is still to be prepared. */
export async function launchTemporal(config: Config, dynamic: string[] = []): Promise<TemporalServer> {
  let server: ChildProcess | undefined;
  const listener = {
    born: (child: ChildProcess) => {
      server = child;
    },
    died: () => undefined,
    line: () => undefined,
  };
  const spec = await embeddedTemporal(config, () => undefined);
  const args = [...spec.args, ...dynamic.flatMap((value) => ['--dynamic-config-value', value])];
  await launch({ ...spec, args }, listener, new AbortController().signal);
  return {
    pid: server?.pid,
    async close() {
      if (!server || server.exitCode !== null) return;
      const exit = once(server, 'exit');
      server.kill('SIGKILL');
      await exit;
    },
  };
}

import { PART_GROUPS, partsNamed } from './kernel/modules';
import { openBus } from './platform/bus/open';
import { ConfigError, loadConfig } from './platform/config';
import type { Listening } from './platform/listen';
import { startManagement } from './platform/management';
import type { Platform, Running } from './platform/service';
import { createSagas } from './platform/temporal';
import { endAfterUncaught } from './platform/uncaught';
import { services } from './services';
import { workers } from './workers';

const STARTS = new Map([...Object.entries(services), ...Object.entries(workers)]);

/**
 * Runs the named services and workers in this one process: together they share its memory and connections, apart they
 * fail and scale apart. The management port is opened first and closed last. Writes `ready` when all are up. On SIGTERM or
 * SIGINT it stops in order and exits, also while a part is still waiting for what it needs to start. After an error that nobody
 * caught it does the same and exits with 1. @throws ConfigError; RangeError when a part is named that MODULES switches off; or the Error of the first part that does not start
 */
async function main(names: string[]): Promise<void> {
  requireKnown(names);
  const config = loadConfig();
  const chosen = partsNamed(names, config.contexts);
  const parts = [...STARTS].filter(([name]) => chosen.has(name));
  const sagas = createSagas(config);
  const bus = openBus(config);
  const platform: Platform = { config, sagas, bus };
  const running: Running[] = [];
  let management: Listening | undefined;
  const stopParts = async () => {
    const isWorker = ({ name }: Running) => name.startsWith('worker:');
    // Workers first: their last activities still need the services.
    await closeAll(running.filter(isWorker));
    bus.stopWaiting();
    await closeAll(running.filter((part) => !isWorker(part)));
    await closeAll([sagas, bus, ...(management ? [management] : [])]);
  };
  let stopped: Promise<void> | undefined;
  const stop = () => {
    stopped ??= stopParts();
    return stopped;
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void stop().then(() => process.exit()));
  endAfterUncaught(config, stop);
  const partsNow = () =>
    parts.map(([name]) => {
      const part = running.find((candidate) => candidate.name === name);
      // Told to stop, it is to be given nothing new.
      return { name, readiness: stopped ? undefined : part?.readiness };
    });
  try {
    management = await startManagement(config, partsNow);
    await Promise.all(parts.map(async ([, start]) => running.push(await start(platform))));
  } catch (error) {
    await stop();
    throw error;
  }
  if (!stopped) process.stdout.write('ready\n');
}

/** @throws ConfigError that lists what there is */
function requireKnown(names: string[]): void {
  const known = [...PART_GROUPS, ...STARTS.keys()];
  const unknown = names.filter((name) => !known.includes(name));
  if (names.length > 0 && unknown.length === 0) return;
  const complaint = unknown.length > 0 ? `There is no ${unknown.join(', ')}` : 'Say what to run';
  throw new ConfigError(`${complaint}: node dist/main.js <name…>, of ${known.join(', ')}`);
}

/** Closes all of them, whichever fail; a failure is said and makes the exit code 1. */
async function closeAll(parts: { close(): Promise<void> }[]): Promise<void> {
  for (const result of await Promise.allSettled(parts.map((part) => part.close()))) {
    if (result.status === 'rejected') report(result.reason);
  }
}

function report(error: unknown): void {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

main(process.argv.slice(2)).catch((error: unknown) => {
  report(error);
  process.exit();
});

import { ConfigError, loadConfig } from './platform/config';
import type { Platform, Running } from './platform/service';
import { createSagas } from './platform/temporal';
import { services } from './services';
import { workers } from './workers';

const GROUPS: Record<string, string[]> = {
  services: Object.keys(services),
  workers: Object.keys(workers),
  all: [...Object.keys(services), ...Object.keys(workers)],
};
const STARTS = { ...services, ...workers };

/**
 * Runs the named services and workers in this one process: together they share its memory and connections, apart they
 * fail and scale apart. Writes `ready` when all are up, stops in order on SIGTERM or SIGINT.
 */
async function main(names: string[]): Promise<void> {
  const chosen = [...new Set(names.flatMap((name) => GROUPS[name] ?? [name]))];
  const unknown = chosen.filter((name) => !Object.hasOwn(STARTS, name));
  if (chosen.length === 0 || unknown.length > 0) {
    throw new ConfigError(
      `${unknown.length > 0 ? `There is no ${unknown.join(', ')}` : 'Say what to run'}: node dist/main.js <name…>, of ${[...Object.keys(GROUPS), ...Object.keys(STARTS)].join(', ')}`,
    );
  }
  const config = loadConfig();
  const sagas = createSagas(config);
  const platform: Platform = { config, sagas };
  const running: Running[] = [];
  const stop = stopOnce(async () => {
    // Workers first: their last activities still need the services.
    const isWorker = ({ name }: Running) => name.startsWith('worker:');
    await Promise.all(running.filter(isWorker).map((part) => part.close()));
    await Promise.all(running.filter((part) => !isWorker(part)).map((part) => part.close()));
    await sagas.close();
  });
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  try {
    await Promise.all(chosen.map(async (name) => running.push(await start(name, platform))));
  } catch (error) {
    await stop();
    throw error;
  }
  process.stdout.write('ready\n');
}

async function start(name: string, platform: Platform): Promise<Running> {
  const begin = STARTS[name];
  if (!begin) throw new ConfigError(`There is no ${name}`);
  return begin(platform);
}

function stopOnce(work: () => Promise<void>): () => Promise<void> {
  let stopped: Promise<void> | undefined;
  return () => {
    stopped ??= work().catch((error: unknown) => {
      process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
      process.exitCode = 1;
    });
    return stopped;
  };
}

main(process.argv.slice(2)).catch((error: unknown) => {
  const known = error instanceof Error;
  process.stderr.write(`${known ? error.message : String(error)}\n`);
  process.exit(1);
});

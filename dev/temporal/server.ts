import { mkdirSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { REFS, SEARCH_ATTRIBUTES } from '../../kernel/saga-type';
import type { Config } from '../../platform/config';
import { requireFreePort } from '../machine/ports';
import type { ChildSpec } from '../processes/child';
import { temporalBinary } from './binary';

const DYNAMIC_CONFIG = {
  // The default of 20 lets every task that is not dispatched eagerly wait up to 50 ms on the dev server's one shard.
  'history.transferProcessorMaxPollRPS': '5000',
  'system.enableActivityEagerExecution': 'true',
  // start-dev reads the search attributes anew from its database nine times a booking, unless it is told not to.
  'system.forceSearchAttributesCacheRefreshOnRead': 'false',
  // Histories go from one of the server's parts to the next as they are stored, instead of being decoded and encoded again.
  'system.sendRawHistoryBetweenInternalServices': 'true',
};

// With a write-ahead log and this setting a killed server loses nothing (the pages are the operating system's by then);
// only a power cut may take the last commits, and the default costs a third of the throughput. Pages are kept in 64 MiB, not in 2.
const SQLITE = { journal_mode: 'WAL', synchronous: 'NORMAL', cache_size: '-65536' };

/**
 * The Temporal dev server with its history on disk under `DATA_DIR/temporal`, on the loopback interface only.
 * @throws Error for a person to read when there is no server program to be had or a port is taken
 */
export async function embeddedTemporal(config: Config, say: (line: string) => void): Promise<ChildSpec> {
  const command = await temporalBinary(say);
  await requireFreePort(config.TEMPORAL_PORT, 'TEMPORAL_PORT');
  await requireFreePort(config.TEMPORAL_UI_PORT, 'TEMPORAL_UI_PORT');
  const folder = join(config.DATA_DIR, 'temporal');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { PATH, HOME, TMPDIR } = process.env;
  return {
    name: 'temporal',
    command,
    args: serverArguments(config, join(folder, 'temporal.db')),
    // Without our TEMPORAL_… settings, which the program would take for its own.
    env: { PATH, HOME, TMPDIR },
    cwd: folder,
    ready: { probe: () => answers(`http://127.0.0.1:${config.TEMPORAL_UI_PORT}/api/v1/namespaces/default`) },
    readyTimeoutMs: 60_000,
    stopSignal: 'SIGTERM',
    graceMs: 15_000,
    // The server logs its own shutdown, and every client that leaves, as warnings.
    show: () => undefined,
  };
}

function serverArguments(config: Config, dbFile: string): string[] {
  const pairs = (flag: string, values: Record<string, string>) =>
    Object.entries(values).flatMap(([name, value]) => [flag, `${name}=${value}`]);
  const flags = {
    '--ip': '127.0.0.1',
    '--port': String(config.TEMPORAL_PORT),
    '--ui-port': String(config.TEMPORAL_UI_PORT),
    '--db-filename': dbFile,
    '--log-level': 'warn',
    '--log-format': 'json',
  };
  return [
    'server',
    'start-dev',
    ...Object.entries(flags).flat(),
    ...(config.TEMPORAL_NAMESPACE === 'default' ? [] : ['--namespace', config.TEMPORAL_NAMESPACE]),
    ...pairs('--dynamic-config-value', DYNAMIC_CONFIG),
    ...pairs('--sqlite-pragma', SQLITE),
    ...pairs('--search-attribute', Object.fromEntries(SEARCH_ATTRIBUTES.map((name) => [name, 'Keyword']))),
    '--search-attribute',
    `${REFS}=KeywordList`,
  ];
}

/** The Web UI's server passes this on to the frontend, so an answer means that both work. */
function answers(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get(url, { timeout: 2_000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.once('error', () => resolve(false));
    request.once('timeout', () => request.destroy());
  });
}

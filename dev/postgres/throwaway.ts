import { freePorts } from '../machine/ports';
import { removeDataDir, temporaryDataDir } from '../machine/temporary-data';
import { identify, stopProcess } from '../processes/identify';
import { launch } from '../processes/launch';
import { startReaper } from '../processes/reaper';
import { embeddedPostgres } from './server';

/**
 * A Postgres for one test run: a free port, a temporary folder, and no durability, because nothing outlives the run.
 * It works wherever the embedded server works, also as root in a clone that Postgres's own user cannot reach, and
 * ends with its caller.
 */
export async function startThrowawayPostgres(): Promise<{
  url: string;
  /** Of its first process, whose children serve the connections. */
  pid: number;
  stop(): Promise<void>;
}> {
  const dataDir = temporaryDataDir();
  const [port = 0] = await freePorts(1);
  const server = await embeddedPostgres({
    dataDir,
    port,
    password: 'postgres',
    say: () => undefined,
    settings: { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', max_connections: '300' },
  });
  const reaper = startReaper();
  const listener = { born: () => undefined, died: () => undefined, line: () => undefined };
  const { process } = await launch(server.spec, listener, new AbortController().signal);
  const pid = process.pid ?? 0;
  reaper.add(pid, 'SIGQUIT');
  return {
    url: server.url,
    pid,
    async stop() {
      const id = identify(pid);
      if (id) await stopProcess(id, 'SIGINT', 10_000);
      reaper.drop(pid);
      await reaper.close();
      removeDataDir(dataDir);
    },
  };
}

import { renameSync, writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import { join } from 'node:path';

// Loaded before everything else in each process of a profiled run (NODE_OPTIONS). SIGUSR2 starts the profiler; the next one stops it and
// writes BENCH_PROFILE_DIR/<pid>.cpuprofile.

const folder = process.env.BENCH_PROFILE_DIR;
let session: Session | undefined;

if (folder) {
  process.on('SIGUSR2', () => {
    if (!session) {
      session = new Session();
      session.connect();
      session.post('Profiler.enable');
      session.post('Profiler.start');
      return;
    }
    const ending = session;
    session = undefined;
    ending.post('Profiler.stop', (_, { profile }) => {
      const file = join(folder, `${process.pid}.cpuprofile`);
      writeFileSync(`${file}.part`, JSON.stringify(profile));
      renameSync(`${file}.part`, file); // whoever waits for it never sees half of it
      ending.disconnect();
    });
  });
}

import { renameSync, writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import { join } from 'node:path';
import { BroadcastChannel, isMainThread, threadId } from 'node:worker_threads';

// NODE_OPTIONS loads this file before everything else in each thread of each process of a profiled run; workflows run
// in threads of their own. The first SIGUSR2 starts the profilers. The next one stops them, and each writes
// BENCH_PROFILE_DIR/<pid>-<thread>.cpuprofile, the main thread last.

const folder = process.env.BENCH_PROFILE_DIR;
let session: Session | undefined;

if (folder) {
  const threads = new BroadcastChannel('bench-profile');
  threads.unref();
  if (isMainThread) {
    process.on('SIGUSR2', () => {
      threads.postMessage('toggle');
      if (session) setTimeout(toggle, 500);
      else toggle();
    });
  } else threads.onmessage = toggle;
}

function toggle(): void {
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
    const file = join(folder ?? '', `${process.pid}-${threadId}.cpuprofile`);
    writeFileSync(`${file}.part`, JSON.stringify(profile));
    renameSync(`${file}.part`, file); // a reader who waits for the file never sees half of it
    ending.disconnect();
  });
}

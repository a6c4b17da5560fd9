import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { BroadcastChannel, isMainThread } from 'node:worker_threads';

// NODE_OPTIONS loads this file before everything else in each process of a run that measures memory, and in each of
// its threads. On SIGUSR2 every thread collects its garbage. BENCH_GC_DIR/<pid> is written when all threads have had
// the time.

const folder = process.env.BENCH_GC_DIR;
const TIMES = 3;
const THREADS_MS = 500;

function collect(): void {
  setFlagsFromString('--expose-gc');
  const gc: unknown = runInNewContext('gc');
  if (typeof gc !== 'function') throw new Error('There is no garbage collector to be called');
  for (let time = 0; time < TIMES; time++) gc();
}

if (folder) {
  const threads = new BroadcastChannel('bench-collect-garbage');
  threads.unref();
  if (isMainThread) {
    process.on('SIGUSR2', () => {
      threads.postMessage('now');
      collect();
      setTimeout(() => {
        const file = join(folder, String(process.pid));
        writeFileSync(`${file}.part`, '');
        renameSync(`${file}.part`, file);
      }, THREADS_MS);
    });
  } else {
    threads.onmessage = collect;
  }
}

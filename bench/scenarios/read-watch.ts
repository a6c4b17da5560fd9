import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { percentile } from '../stats';
import type { Stage } from './stage';

/** What readers saw; milliseconds. */
export interface Reads {
  count: number;
  failed: number;
  p50: number;
  p99: number;
  most: number;
}

const EVERY_MS = 100;
const PATIENCE_MS = 30_000;

/**
 * Reads through the gateway at a fixed pace until it is ended, from each service in turn. A slow read holds up no
 * later one.
 */
export function watchReads({ gateway, people }: Stage): () => Promise<Reads> {
  // These reads have connections of their own, so that they do not wait in the load generator.
  const dispatcher = new Agent({ headersTimeout: PATIENCE_MS, bodyTimeout: PATIENCE_MS });
  const [student = ''] = people.students;
  const [tutor = ''] = people.tutors;
  const paths = [
    { path: '/api/bookings', own: true },
    { path: '/api/tutors', own: false },
    { path: `/api/tutors/${tutor}/slots`, own: false },
    { path: '/api/notifications', own: true },
  ];
  const times: number[] = [];
  let failed = 0;
  let ended = false;
  const read = async (turn: number) => {
    const { path, own } = paths[turn % paths.length] ?? { path: '/', own: false };
    const headers = own ? { authorization: `Bearer ${await people.token(student, 'student')}` } : {};
    const from = performance.now();
    const ok = await request(`${gateway}${path}`, { dispatcher, headers }).then(
      async ({ statusCode, body }) => {
        await body.text();
        return statusCode === 200;
      },
      () => false,
    );
    times.push(performance.now() - from);
    if (!ok) failed += 1;
  };
  const reading = (async () => {
    const running: Promise<void>[] = [];
    for (let turn = 0; !ended; turn++) {
      running.push(read(turn));
      await sleep(EVERY_MS);
    }
    await Promise.all(running);
  })();
  return async () => {
    ended = true;
    await reading;
    await dispatcher.close();
    const of = (share: number) => percentile(times, share);
    return { count: times.length, failed, p50: of(0.5), p99: of(0.99), most: Math.max(...times) };
  };
}

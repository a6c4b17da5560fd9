import { Client } from 'undici';
import { cpuBetween, cpuEach, cpuTimes } from '../cpu';
import { startProfile } from '../profile';
import { type Question, questions } from './questions';
import { logIn, READERS, type ReadStage, readers } from './stage';

/** What was measured of one question. Milliseconds as the client sees them, from sending to the last byte. */
export interface ReadResult {
  name: string;
  perSecond: number;
  p50: number;
  p95: number;
  p99: number;
  failures: number;
  /**
   * Milliseconds of processor time for one request by process, where the system tells; `client` is the load
   * generator.
   */
  cpu: Record<string, number>;
}

export interface ReadBesideFloor extends ReadResult {
  /** p95 of one row by `floor.ts`: the mean of one measurement right before and one right after. */
  floorP95: number;
}

/**
 * Asks every question over many keep-alive connections at once. Each connection sends its next request as soon as the
 * last is answered.
 * @throws Error when there are no data
 */
export async function measureReads(
  stage: ReadStage,
  options: {
    clients: number;
    seconds: number;
    /** Where to write a profile of each read; undefined: none are made. */
    profileFolder: string | undefined;
    say(line: string): void;
    signal: AbortSignal;
  },
): Promise<ReadBesideFloor[]> {
  const { clients, seconds, profileFolder, say, signal } = options;
  const people = await readers(stage);
  if (people.length < READERS) throw new Error('There are no data');
  const logins: string[] = [];
  for (const reader of people) logins.push(await logIn(stage.gateway, reader));
  const databases = [stage.database('booking'), stage.database('tutoring')] as const;
  const { asked, oneRow } = await questions(...databases, people, stage.gateway);
  const measure = (question: Question, ms: number) => ask(stage, stage.gateway, question, { logins, clients, ms });
  const floor = () => ask(stage, stage.floor.url, oneRow, { logins, clients, ms: FLOOR_MS });
  await floor();
  for (const question of asked) await measure(question, WARM_UP_MS);
  say('Everything has been asked for a second');
  const results: ReadBesideFloor[] = [];
  for (const question of asked) {
    signal.throwIfAborted();
    const run = question.name.replaceAll(/\W+/g, '-');
    const before = await floor();
    const endProfile = profileFolder && startProfile(processesOf(stage), profileFolder, run);
    const result = await measure(question, seconds * 1_000);
    if (endProfile) await endProfile();
    const after = await floor();
    // A floor that answers something else would be no floor.
    const failures = result.failures + before.failures + after.failures;
    results.push({ ...result, failures, floorP95: (before.p95 + after.p95) / 2 });
    say(`${describe(result)}; one row ${before.p95.toFixed(1)} and ${after.p95.toFixed(1)} ms`);
  }
  return results;
}

const WARM_UP_MS = 1_000;
const FLOOR_MS = 2_000;

const processesOf = ({ platform }: ReadStage) =>
  platform.children().flatMap(({ name, pid }) => (pid === undefined ? [] : [{ name, pid }]));

async function ask(
  stage: ReadStage,
  origin: string,
  question: Question,
  { logins, clients, ms }: { logins: readonly string[]; clients: number; ms: number },
): Promise<ReadResult> {
  // The floor's server counts as `services` too: while one of the two is asked, the other idles.
  const processes = [...processesOf(stage), { name: 'services', pid: stage.floor.pid }];
  const times: number[] = [];
  let failures = 0;
  let turn = 0;
  const before = cpuTimes(processes);
  const own = process.cpuUsage();
  const started = performance.now();
  const client = async () => {
    const connection = new Client(origin);
    while (performance.now() - started < ms) {
      const { path, reader } = question.paths[turn++ % question.paths.length] ?? { path: '/' };
      const headers = reader === undefined ? undefined : { authorization: `Bearer ${logins[reader]}` };
      const from = performance.now();
      const { statusCode, body } = await connection.request({ method: 'GET', path, headers });
      const text = await body.text();
      times.push(performance.now() - from);
      if (statusCode !== 200 || !text.includes(question.holds)) failures++;
    }
    await connection.close();
  };
  await Promise.all(Array.from({ length: clients }, client));
  const perSecond = times.length / ((performance.now() - started) / 1_000);
  const { user, system } = process.cpuUsage(own);
  const spent = { ...cpuBetween(before, cpuTimes(processes)), client: (user + system) / 1_000 };
  const cpu = cpuEach(spent, times.length);
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.floor(times.length * share)] ?? Number.NaN;
  return { name: question.name, perSecond, p50: at(0.5), p95: at(0.95), p99: at(0.99), failures, cpu };
}

function describe(result: ReadResult): string {
  const ms = (value: number) => `${value.toFixed(1).padStart(6)} ms`;
  const { name, perSecond, p50, p95, p99, failures } = result;
  const busy = Object.entries(result.cpu)
    .filter(([, spent]) => spent >= 0.01)
    .map(([process, spent]) => `${process} ${spent.toFixed(2)}`);
  return `${name.padEnd(24)} p50 ${ms(p50)}  p95 ${ms(p95)}  p99 ${ms(p99)}  ${perSecond.toFixed(0).padStart(5)} req/s  ${failures} failed  cpu ms: ${busy.join(', ')}`;
}

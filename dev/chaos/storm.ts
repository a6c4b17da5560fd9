import { setTimeout as sleep } from 'node:timers/promises';
import type { Sql } from 'postgres';
import { request } from 'undici';
import { DATABASE_CONTEXTS } from '../../kernel/modules';
import { type Frozen, freeze } from '../processes/freeze';
import type { OpenDatabases } from '../stack/own-platform';
import type { RunningPlatform } from '../stack/platform';
import type { MailLine } from './mail-line';
import { type Fault, type Outage, planTroubles } from './troubles';

export interface Storm {
  kills: { atMs: number; name: string; wasUp: boolean }[];
  faults: { atMs: number; kind: string; taken: boolean }[];
  /** Processes that hung for a while. */
  freezes: { atMs: number; name: string; ms: number }[];
  outages: { atMs: number; kind: Outage['kind'] | 'temporal stopped'; ms: number }[];
  /** Moments in which all connections to the databases ended; `ended` says of how many, none while Postgres was down. */
  cuts: { atMs: number; by: 'operator' | 'restart'; ended: number }[];
  /** Stops Temporal for five seconds, unless it is stopped already or the storm is over. Resolves when it is down. */
  stopTemporal(): Promise<void>;
  /** Ends the storm: what hangs goes on, what was stopped is started, and the sandbox forgets its faults. */
  end(): Promise<void>;
}

/** How often a kill looks whether enough processes are up again: where most are down, one more kill shows nothing. */
const LOOK_EVERY_MS = 100;
const TEMPORAL_STOPS_FOR_MS = 5_000;
/** A process that was not let go when it should have been goes on by itself after this much longer. */
const THAW_MARGIN_MS = 2_000;

/**
 * Kills processes of the platform and lets them hang, spoils Stripe's answers and lets vendors hang, one after another, until it is
 * ended. `mailLine` is where mails go; `databases` is by what connections to them are ended.
 */
export function startStorm(
  platform: RunningPlatform,
  mailLine: MailLine,
  databases: Pick<OpenDatabases, 'database'>,
  seed: number,
): Storm {
  const troubles = planTroubles(seed);
  const sandbox = `${platform.urls.stripeSandbox}/sandbox/faults`;
  const over = new AbortController();
  const started = performance.now();
  const names = platform.children().map(({ name }) => name);
  const storm: Omit<Storm, 'end' | 'stopTemporal'> = { kills: [], faults: [], freezes: [], outages: [], cuts: [] };
  let temporalReturns: Promise<void> | undefined;

  const down = () => platform.children().filter(({ state }) => state !== 'ready').length;
  const now = () => performance.now() - started;

  async function kill(): Promise<void> {
    while (!over.signal.aborted) {
      const { afterMs, name, othersDown } = troubles.nextKill(names);
      if (!(await pause(afterMs, over.signal))) return;
      while (!over.signal.aborted && down() > othersDown) await pause(LOOK_EVERY_MS, over.signal);
      if (over.signal.aborted) return;
      const wasUp = platform.children().some((child) => child.name === name && child.pid !== undefined);
      storm.kills.push({ atMs: now(), name, wasUp });
      await platform.kill(name);
    }
  }

  async function hang(): Promise<void> {
    while (!over.signal.aborted) {
      const { afterMs, name, ms } = troubles.nextFreeze(names);
      if (!(await pause(afterMs, over.signal))) return;
      const pid = platform.children().find((child) => child.name === name)?.pid;
      storm.freezes.push({ atMs: now(), name, ms: pid === undefined ? 0 : ms });
      if (pid === undefined) continue;
      const frozen: Frozen = freeze(pid, ms + THAW_MARGIN_MS);
      await pause(ms, over.signal);
      frozen.thaw();
    }
  }

  async function silenceVendors(): Promise<void> {
    while (!over.signal.aborted) {
      const { afterMs, outage } = troubles.nextOutage();
      if (!(await pause(afterMs, over.signal))) return;
      const { kind, ms } = outage;
      const isSilent = kind !== 'stripe hangs' || (await tell('POST', outage.fault));
      storm.outages.push({ atMs: now(), kind, ms: isSilent ? ms : 0 });
      if (kind !== 'stripe hangs') mailLine.becomes(kind === 'mail hangs' ? 'hangs' : 'drips');
      await pause(ms, over.signal);
      mailLine.becomes('open');
    }
  }

  async function spoil(next: () => { afterMs: number; fault: Fault }): Promise<void> {
    while (!over.signal.aborted) {
      const { afterMs, fault } = next();
      if (!(await pause(afterMs, over.signal))) return;
      const taken = await tell('POST', fault);
      storm.faults.push({ atMs: now(), kind: fault.kind, taken });
    }
  }

  async function cutConnections(): Promise<void> {
    while (!over.signal.aborted) {
      const { afterMs, restarts } = troubles.nextCut();
      if (!(await pause(afterMs, over.signal))) return;
      const atMs = now();
      const by = restarts ? 'restart' : 'operator';
      const ended = await Promise.all(DATABASE_CONTEXTS.map((context) => endConnections(databases.database(context))));
      storm.cuts.push({ atMs, by, ended: ended.reduce((sum, count) => sum + count, 0) });
      // In order and fast, as at an update; the supervisor starts it again at once.
      if (restarts) await platform.kill('postgres', 'SIGINT');
    }
  }

  /** False when the sandbox is down at the moment: then there is nothing to spoil. */
  async function tell(method: 'POST' | 'DELETE', body?: unknown): Promise<boolean> {
    try {
      const headers = { 'content-type': 'application/json' };
      const reply = await request(sandbox, {
        method,
        ...(body !== undefined && { headers, body: JSON.stringify(body) }),
      });
      const text = await reply.body.text();
      if (reply.statusCode === 422)
        throw new TypeError(`The sandbox does not know the fault ${JSON.stringify(body)}: ${text}`);
      return reply.statusCode < 300;
    } catch (error) {
      if (error instanceof TypeError && error.message.startsWith('The sandbox')) throw error;
      return false;
    }
  }

  async function startTemporalAgain(): Promise<void> {
    await pause(TEMPORAL_STOPS_FOR_MS, over.signal);
    // A start that is killed fails, and the next one is tried.
    const isUp = () =>
      platform.resume('temporal').then(
        () => true,
        () => false,
      );
    while (!(await isUp())) await sleep(LOOK_EVERY_MS);
    temporalReturns = undefined;
  }

  const under = Promise.all([
    ...[kill(), hang(), silenceVendors(), cutConnections()],
    ...[spoil(troubles.nextFault), spoil(troubles.nextPayoutFault), spoil(troubles.nextDisputeFault)],
  ]);
  under.catch(() => undefined); // `end` throws the error
  return {
    ...storm,
    async stopTemporal() {
      if (over.signal.aborted || temporalReturns) return;
      storm.outages.push({ atMs: now(), kind: 'temporal stopped', ms: TEMPORAL_STOPS_FOR_MS });
      const halted = platform.halt('temporal');
      temporalReturns = halted.then(startTemporalAgain);
      await halted;
    },
    async end() {
      over.abort();
      await under;
      await temporalReturns;
      while (!(await tell('DELETE'))) await sleep(200);
    },
  };
}

/** Ends all others' connections to a database, as a failover does. @returns how many; 0 when it cannot be asked just now */
async function endConnections(database: Sql): Promise<number> {
  const ended = database`
    select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and usename = current_user and pid <> pg_backend_pid()`;
  return ended.then(
    ({ length }) => length,
    () => 0,
  );
}

/** False when the storm was ended meanwhile. */
function pause(ms: number, signal: AbortSignal): Promise<boolean> {
  return sleep(ms, true, { signal }).catch(() => false);
}

import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import type { RunningPlatform } from '../stack/platform';
import { planTroubles } from './troubles';

export interface Storm {
  kills: { atMs: number; name: string; wasUp: boolean }[];
  faults: { atMs: number; kind: string; taken: boolean }[];
  /** Ends the storm, and takes back the faults that were ordered at the sandbox. */
  end(): Promise<void>;
}

/** How often a kill looks whether enough processes are up again: where most are down, one more kill shows nothing. */
const LOOK_EVERY_MS = 100;

/** Kills processes of the platform and spoils Stripe's answers, one after another, until it is ended. */
export function startStorm(platform: RunningPlatform, seed: number): Storm {
  const troubles = planTroubles(seed);
  const sandbox = `${platform.urls.stripeSandbox}/sandbox/faults`;
  const over = new AbortController();
  const started = performance.now();
  const names = platform.children().map(({ name }) => name);
  const storm: Omit<Storm, 'end'> = { kills: [], faults: [] };

  const down = () => platform.children().filter(({ state }) => state !== 'ready').length;

  async function kill(): Promise<void> {
    while (!over.signal.aborted) {
      const { afterMs, name, othersDown } = troubles.nextKill(names);
      if (!(await pause(afterMs, over.signal))) return;
      while (!over.signal.aborted && down() > othersDown) await pause(LOOK_EVERY_MS, over.signal);
      if (over.signal.aborted) return;
      const wasUp = platform.children().some((child) => child.name === name && child.pid !== undefined);
      storm.kills.push({ atMs: performance.now() - started, name, wasUp });
      await platform.kill(name);
    }
  }

  async function spoil(): Promise<void> {
    while (!over.signal.aborted) {
      const { afterMs, fault } = troubles.nextFault();
      if (!(await pause(afterMs, over.signal))) return;
      const taken = await tell('POST', fault);
      storm.faults.push({ atMs: performance.now() - started, kind: fault.kind, taken });
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

  const under = Promise.all([kill(), spoil()]);
  under.catch(() => undefined); // `end` throws the error
  return {
    ...storm,
    async end() {
      over.abort();
      await under;
      while (!(await tell('DELETE'))) await sleep(200);
    },
  };
}

/** False when the storm was ended meanwhile. */
function pause(ms: number, signal: AbortSignal): Promise<boolean> {
  return sleep(ms, true, { signal }).catch(() => false);
}

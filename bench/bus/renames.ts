import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import type { Tokens } from '../people';

/** What one person was answered who changed their name. */
export interface Renamed {
  id: string;
  status: number;
  /** From when the request was due, in milliseconds. */
  latencyMs: number;
}

const dispatcher = new Agent({ headersTimeout: 60_000, bodyTimeout: 60_000 });

/** Every student changes their name through the gateway, `rate` of them a second, whether or not earlier ones are answered. */
export async function renameAll(
  gateway: string,
  tokens: Tokens,
  studentIds: readonly string[],
  rate: number,
): Promise<Renamed[]> {
  const signed: { id: string; token: string }[] = [];
  for (const id of studentIds) signed.push({ id, token: await tokens.token(id, 'student') });
  const began = performance.now();
  return Promise.all(
    signed.map(async ({ id, token }, index) => {
      const due = began + (index * 1_000) / rate;
      await sleep(Math.max(0, due - performance.now()));
      const { statusCode, body } = await request(`${gateway}/api/users/${id}`, {
        ...{ dispatcher, method: 'PATCH' },
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ firstName: 'Renamed' }),
      });
      await body.dump();
      return { id, status: statusCode, latencyMs: performance.now() - due };
    }),
  );
}

import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { z } from 'zod';
import type { Timeline } from './timeline';

/** What the demo expected and did not get. */
export class ExpectationError extends Error {
  override readonly name = 'ExpectationError';
}

/** Shows on the timeline that `what` is so. @throws ExpectationError when it is not */
export function expectThat(timeline: Timeline, what: string, holds: boolean, instead = ''): void {
  if (!holds) throw new ExpectationError(`Expected: ${what}${instead && `; instead: ${instead}`}`);
  timeline.held(what);
}

/** Webhooks bring news within a second. One that is lost is made up for by the sagas, which ask a minute later at first. */
const NEWS_WITHIN_MS = 120_000;
const LOOK_EVERY_MS = 200;

/** Looks until there is something. @throws ExpectationError when there is not in time */
export async function eventually<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  const deadline = performance.now() + NEWS_WITHIN_MS;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > deadline)
      throw new ExpectationError(`Expected within ${NEWS_WITHIN_MS / 1_000} s, and not seen: ${what}`);
    await sleep(LOOK_EVERY_MS);
  }
}

export interface Call {
  token?: string;
  key?: string;
  body?: unknown;
  /** Statuses that are as they should be. */
  expect: readonly number[];
  /** The words on the timeline; without them the call is not shown. */
  what?: string;
  /** What of the reply is worth showing. */
  note?: (body: unknown) => string | undefined;
}

export interface Reply<T> {
  status: number;
  body: T;
}

/** The public API as any client sees it. */
export type Gateway = <T>(
  timeline: Timeline,
  schema: z.ZodType<T>,
  method: 'GET' | 'POST' | 'PUT' | 'PATCH',
  path: string,
  call: Call,
) => Promise<Reply<T>>;

const problemSchema = z.looseObject({ code: z.string(), detail: z.string().optional() });
const LONGEST_WAIT_S = 70;

export function createGateway(baseUrl: string): Gateway {
  return async (timeline, schema, method, path, { token, key, body, expect, what, note }) => {
    const ask = () =>
      request(`${baseUrl}${path}`, {
        method,
        headers: {
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...(token && { authorization: `Bearer ${token}` }),
          ...(key && { 'idempotency-key': key }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        headersTimeout: 30_000,
      });
    let response = await ask();
    for (let waited = 0; response.statusCode === 429 && waited < LONGEST_WAIT_S; ) {
      const seconds = Number(response.headers['retry-after'] ?? 1);
      await response.body.dump();
      timeline.aside(`the rate limit asks to wait ${seconds} s`);
      await sleep(seconds * 1_000);
      waited += seconds;
      response = await ask();
    }
    const { statusCode: status } = response;
    const text = await response.body.text();
    const json: unknown = /json/.test(String(response.headers['content-type'])) ? JSON.parse(text) : undefined;
    if (!expect.includes(status)) throw new ExpectationError(unexpected(method, path, expect, status, json));
    if (what) timeline.step(what, { status, note: note?.(json) });
    return { status, body: schema.parse(json) };
  };
}

function unexpected(method: string, path: string, expect: readonly number[], status: number, json: unknown): string {
  const problem = problemSchema.safeParse(json);
  const why = problem.success ? ` ${problem.data.code}: ${problem.data.detail ?? ''}` : '';
  return `${method} ${path} should have answered ${expect.join(' or ')} and answered ${status}${why}`;
}

import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { z } from 'zod';
import { messageOf } from '../machine/error-code';

/** What a client was told, for good. */
export interface Reply {
  status: number;
  /** The code of a problem document. */
  code: string | undefined;
  body: unknown;
}

export interface Call {
  token?: string;
  key?: string;
  body?: unknown;
  /** Asked once by somebody who does not come back when there is no final answer. */
  onlyOnce?: boolean;
}

/** Somebody got no final answer and will not ask again. What became of the request they never hear. */
export class GaveUp extends Error {}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH';

/** A good client of the public API, and what it saw. */
export interface Client {
  /**
   * Asks again, under the same key, while there is no final answer.
   * @throws Error when there is none for minutes; GaveUp when it was to be asked only once
   */
  ask(method: Method, path: string, call?: Call): Promise<Reply>;
  /** How often the client had to ask again, by reason. */
  retries: Map<string, number>;
  /** How often somebody gave up, by reason. */
  givenUp: Map<string, number>;
  /** Answers that no crash excuses, in sentences. */
  offences: string[];
}

const problemSchema = z.looseObject({ code: z.string() });
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 2_000;
const ANSWER_WITHIN_MS = 35_000;
/** Who does not come back does not wait for long either; the platform answers within ten seconds what takes longer. */
const IMPATIENT_MS = 12_000;
/** A crash lasts seconds. A client that is not answered by then never will be. */
const GIVE_UP_MS = 240_000;

export function createClient(baseUrl: string): Client {
  const agent = new Agent({ connections: 64 });
  const retries = new Map<string, number>();
  const givenUp = new Map<string, number>();
  const offences: string[] = [];
  const count = (of: Map<string, number>, why: string) => of.set(why, (of.get(why) ?? 0) + 1);

  async function once(method: Method, path: string, { token, key, body, onlyOnce }: Call) {
    const response = await request(`${baseUrl}${path}`, {
      method,
      dispatcher: agent,
      signal: AbortSignal.timeout(onlyOnce ? IMPATIENT_MS : ANSWER_WITHIN_MS),
      headers: {
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(token && { authorization: `Bearer ${token}` }),
        ...(key && { 'idempotency-key': key }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.body.text();
    const isJson = /json/.test(String(response.headers['content-type']));
    const content: unknown = isJson ? JSON.parse(text) : text;
    const problem = problemSchema.safeParse(content);
    const code = response.statusCode >= 400 && problem.success ? problem.data.code : undefined;
    const retryAfter = response.headers['retry-after'];
    return { status: response.statusCode, code, body: content, retryAfter };
  }

  return {
    retries,
    givenUp,
    offences,
    async ask(method, path, call = {}) {
      const deadline = performance.now() + GIVE_UP_MS;
      for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
        const reply = await once(method, path, call).catch((error: unknown) => messageOf(error));
        if (typeof reply !== 'string' && !isTemporary(reply)) return reply;
        const why = typeof reply === 'string' ? 'no answer' : `${reply.status} ${reply.code ?? ''}`.trim();
        count(call.onlyOnce ? givenUp : retries, why);
        if (typeof reply !== 'string') {
          if (reply.status === 500) offences.push(`${method} ${pattern(path)} answered 500 ${reply.code ?? ''}`);
          if (reply.status === 503 && reply.retryAfter === undefined) {
            offences.push(`${method} ${pattern(path)} answered 503 ${reply.code ?? ''} without Retry-After`);
          }
        }
        if (call.onlyOnce) throw new GaveUp(`${method} ${pattern(path)}: ${why}`);
        if (performance.now() > deadline)
          throw new Error(`${method} ${path} was never answered; the last time: ${why}`);
        const asked = typeof reply === 'string' ? Number.NaN : Number(reply.retryAfter);
        await sleep(Number.isFinite(asked) ? asked * 1_000 : pause);
      }
    },
  };
}

/** The same client in the hands of somebody who asks everything only once. */
export function askingOnce(client: Client): Client {
  return { ...client, ask: (method, path, call) => client.ask(method, path, { ...call, onlyOnce: true }) };
}

/** Whether a client is to ask again: nobody knows the outcome yet, or too much was asked at once. */
function isTemporary({ status, code }: Reply): boolean {
  return status >= 500 || status === 429 || code === 'idempotency_in_progress';
}

/** A path whose ids are left out, so that the same offence counts as one. */
const pattern = (path: string) => path.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, '{id}').replace(/\?.*/, '');

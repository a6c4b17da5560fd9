import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { type SandboxState, sandboxState } from './stripe-state';

/** What the sandbox said. */
export interface SandboxAnswer {
  status: number;
  text: string;
}

/** Requests to a Stripe sandbox that may be down at any moment. */
export interface SandboxLine {
  /** Undefined when there was no answer. */
  ask(method: 'GET' | 'POST', path: string, body?: string, headers?: object): Promise<SandboxAnswer | undefined>;
  /** Asks until the controls, which no fault spoils, have answered. What takes effect may have done so more than once. */
  control(method: 'GET' | 'POST', path: string, body?: unknown): Promise<SandboxAnswer>;
  /** Everything at the sandbox. */
  state(): Promise<SandboxState>;
}

const ANSWER_WITHIN_MS = 15_000;
const AGAIN_AFTER_MS = 500;
const FAILED = 500;

/** A line to the sandbox at `url`. */
export function openSandboxLine(url: string): SandboxLine {
  async function ask(method: 'GET' | 'POST', path: string, body?: string, headers = {}) {
    try {
      const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
      const reply = await request(`${url}${path}`, { method, signal, headers, ...(body !== undefined && { body }) });
      return { status: reply.statusCode, text: await reply.body.text() };
    } catch {
      return undefined;
    }
  }

  async function control(method: 'GET' | 'POST', path: string, body?: unknown): Promise<SandboxAnswer> {
    for (;;) {
      const json = body === undefined ? undefined : JSON.stringify(body);
      const answer = await ask(method, path, json, json === undefined ? {} : { 'content-type': 'application/json' });
      if (answer && answer.status < FAILED) return answer;
      await sleep(AGAIN_AFTER_MS);
    }
  }

  const state = () =>
    sandboxState({ sandbox: async (_, path) => ({ body: JSON.parse((await control('GET', path)).text) }) });
  return { ask, control, state };
}

import { randomUUID } from 'node:crypto';

/** X-Request-Id is taken over when it is a plain token, so that nothing can be injected into headers or logs. */
const REQUEST_ID = /^[\w.-]{1,128}$/;

/** The id of a request: the one it came with, or a new one. Nothing is sorted by the id: Node's own is cheapest. */
export function requestIdOf(given?: string | string[]): string {
  return typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();
}

import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders } from 'node:http';

export type Headers = Record<string, string | string[]>;

/** For one connection only (RFC 9110 §7.6.1), with those of older proxies and of HTTP/2 upgrades. */
const HOP_BY_HOP = [
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
];

/** What the gateway says itself or answered already: the client's word is not passed on. */
const OWN_UP = ['host', 'content-length', 'expect', 'forwarded', 'x-real-ip', 'x-request-id', 'traceparent', 'via'];

/** What the gateway answers itself, and what only tells how a service is built. */
const OWN_DOWN = ['server', 'x-powered-by', 'via', 'x-request-id', 'ratelimit', 'ratelimit-policy'];

const BODY_HEADERS = new Set(['content-type', 'content-encoding', 'content-language', 'content-location']);

const DROPPED_UP = new Set([...HOP_BY_HOP, ...OWN_UP]);
const DROPPED_DOWN = new Set([...HOP_BY_HOP, ...OWN_DOWN]);

/** What the gateway knows about a request and tells the service. */
export interface Facts {
  /** The client's address, as seen by this process. */
  address: string;
  /** The Host the client asked for. */
  host: string | undefined;
  /** The scheme that clients use; encryption ends before the gateway, which cannot see it. */
  scheme: 'http' | 'https';
  requestId: string;
  traceparent: string;
  hasBody: boolean;
}

/** The headers of the request to the service: the client's without those of its connection, and the gateway's facts. */
export function headersUp(given: IncomingHttpHeaders, facts: Facts): IncomingHttpHeaders {
  const named = namedByConnection(given.connection);
  const headers: IncomingHttpHeaders = {};
  for (const [name, value] of Object.entries(given)) {
    const dropped = DROPPED_UP.has(name) || named.includes(name) || (!facts.hasBody && BODY_HEADERS.has(name));
    if (value !== undefined && !dropped && !name.startsWith('x-forwarded-')) headers[name] = value;
  }
  return {
    ...headers,
    'x-forwarded-for': facts.address,
    'x-forwarded-proto': facts.scheme,
    ...(facts.host && isHost(facts.host) && { 'x-forwarded-host': facts.host }),
    'x-request-id': facts.requestId,
    traceparent: facts.traceparent,
    // Required of a gateway by RFC 9110 §7.6.3; it also makes a loop visible.
    via: given.via ? `${given.via}, 1.1 tutorconnect` : '1.1 tutorconnect',
  };
}

/**
 * Whether two servers could disagree about what the request is: several Host fields or one that names no host (RFC 9112
 * §3.2), a transfer coding other than plain chunked, or any in HTTP/1.0 (§6.1). What Node's parser refuses never gets here.
 */
export function isAmbiguous(request: Pick<IncomingMessage, 'httpVersion' | 'headersDistinct'>): boolean {
  const hosts = request.headersDistinct.host ?? [];
  if (hosts.length > 1 || hosts.some((host) => host !== '' && !isHost(host))) return true;
  const codings = request.headersDistinct['transfer-encoding'] ?? [];
  if (codings.length === 0) return false;
  return request.httpVersion !== '1.1' || codings.join().trim().toLowerCase() !== 'chunked';
}

/** uri-host and port of RFC 9110 §7.2, a little narrower: whoever uses it may put it into a link. */
function isHost(host: string): boolean {
  return /^(?:[\w.-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::\d{1,5})?$/i.test(host);
}

/** Replies are about one person: nothing between here and the client may keep them unless the service says so. */
export const NO_STORE = { 'cache-control': 'no-store' };

/** The headers of the reply to the client. CORS is the gateway's alone, so a service's word on it is left out. */
export function headersDown(given: IncomingHttpHeaders): Headers {
  const named = namedByConnection(given.connection);
  const headers: Headers = {};
  for (const [name, value] of Object.entries(given)) {
    const dropped = DROPPED_DOWN.has(name) || named.includes(name);
    if (value !== undefined && !dropped && !name.startsWith('access-control-')) headers[name] = value;
  }
  return { ...NO_STORE, ...headers };
}

/** The service's own limits beside the gateway's: both fields are lists (RFC 9651 §3.1, draft-ietf-httpapi-ratelimit-headers). */
export function joinLimits(own: OutgoingHttpHeaders, given: IncomingHttpHeaders): Headers {
  const joined: Headers = {};
  for (const name of ['ratelimit-policy', 'ratelimit']) {
    const members = [own[name], given[name]].flat().filter((value) => value !== undefined && value !== '');
    if (members.length > 0) joined[name] = members.join(', ');
  }
  return joined;
}

/** Names listed in Connection are for that connection only as well. */
function namedByConnection(value: string | string[] | undefined): string[] {
  return [value ?? []].flat().flatMap((list) => list.split(',').map((name) => name.trim().toLowerCase()));
}

/** `Allow` of a reply to OPTIONS: what the service supports, and what comes with that. */
export function allowOf(given: string | string[] | undefined): string {
  const methods = [given ?? []].flat().flatMap((list) => list.split(',').map((method) => method.trim().toUpperCase()));
  if (methods.includes('GET')) methods.push('HEAD');
  return [...new Set([...methods, 'OPTIONS'])].filter(Boolean).join(', ');
}

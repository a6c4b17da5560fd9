import { contextOf, ROUTED_CONTEXTS, type RoutedContext } from '../../kernel/modules';

const contextByPrefix = new Map<string, RoutedContext>(
  ROUTED_CONTEXTS.flatMap((context) => contextOf(context).prefixes.map((prefix) => [prefix, context] as const)),
);

/** Where a request goes. */
export interface Destination {
  context: RoutedContext;
  /** The path as its service knows it: without the version, still percent-encoded. */
  path: string;
  /** The query as it came, with its `?`; empty when there is none. */
  query: string;
}

// A proxy's client may send the absolute form (RFC 9112 §3.2.2). A fragment is never part of a request target.
const TARGET = /^(?:https?:\/\/[^/?#]*)?(\/[^?#]*)(\?[^#]*)?$/i;

/** Segments of RFC 3986 §3.3 characters, none of them empty; a closing slash is allowed. */
const PATH = /^(?:\/(?:[\w.~!$&'()*+,;=:@-]|%[0-9a-f]{2})+)+\/?$/i;

/**
 * Where the request target goes, `undefined` for everything that is not offered. Paths are compared, never repaired: a
 * path that servers could read in two ways (dot segments, empty segments, encoded slashes, double encoding, other case)
 * goes nowhere, so no spelling reaches a path that is not in the table.
 */
export function destinationOf(target: string): Destination | undefined {
  const [, given, query = ''] = TARGET.exec(target) ?? [];
  if (given === undefined || !PATH.test(given) || !given.split('/').every(isUnambiguous)) return undefined;
  const path = given.replace(/^\/api\/v1\//, '/api/');
  const context = contextByPrefix.get(path.split('/', 3).join('/'));
  return context && { context, path, query };
}

function isUnambiguous(segment: string): boolean {
  let text: string;
  try {
    text = decodeURIComponent(segment);
  } catch {
    return false; // not UTF-8
  }
  // A parameter after `;` is cut off by some servers, which turns `..;x` into a dot segment.
  const name = text.split(';', 1)[0];
  if (name === '.' || name === '..') return false;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return !/[\u0000-\u001f\u007f/\\%]/.test(text);
}

/**
 * Whether a request proves its sender by a signature in the service itself. Stripe has no access token and sends bursts
 * from few addresses, so tokens and the limit of requests do not apply to it.
 */
export function isSigned(method: string, path: string): boolean {
  return method === 'POST' && path === '/api/stripe/webhooks';
}

/** Methods that are passed on. TRACE would echo credentials, CONNECT would open a tunnel. */
export const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;
export type Method = (typeof METHODS)[number];

export function isMethod(name: string): name is Method {
  return METHODS.some((method) => method === name);
}

/** Whether a request has nothing to say in a body (RFC 9110 §9.3.1). A body that comes along is read and left out. */
export function isBodiless(method: Method): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS';
}

/**
 * Whether the request changes nothing. Only a read may be sent a second time when its connection was lost before an answer:
 * nobody knows whether a write took effect (RFC 9110 §9.2.2).
 */
export function isRead(method: Method): boolean {
  return method === 'GET' || method === 'HEAD';
}

/**
 * The name under which requests are counted that come from nobody in particular. An IPv6 address counts by its first 64
 * bits: a single line at home has as many addresses as it likes below them (RFC 6177 §2).
 */
export function addressKey(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped) return `address:${mapped}`;
  if (!address.includes(':')) return `address:${address}`;
  const plain = address.replace(/%.*$/, '').toLowerCase();
  const gap = plain.indexOf('::');
  const groups = (text: string) => (text === '' ? [] : text.split(':'));
  const left = groups(gap < 0 ? plain : plain.slice(0, gap));
  const right = groups(gap < 0 ? '' : plain.slice(gap + 2));
  const zeros = Array<string>(Math.max(0, 8 - left.length - right.length)).fill('0');
  return `address:${[...left, ...zeros, ...right].slice(0, 4).join(':')}::/64`;
}

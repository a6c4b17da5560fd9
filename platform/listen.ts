import { createServer, type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Express } from 'express';
import { type ErrorCode, ProblemError } from '../kernel/errors';
import { problemBody } from './problem';
import { requestIdOf } from './request-id';

// A port and its connections: how they open and close, and what is said to whatever never becomes a request of an app.

export interface Listening {
  port: number;
  /** Stops accepting, lets running requests end (at most `graceMs`), then closes. */
  close(graceMs?: number): Promise<void>;
}

/** Answers a request that has reached this process already, as if it had come by a connection of its own. */
export type TakeRequest = (request: IncomingMessage, response: ServerResponse) => void;

const listeningHere = new Map<string, TakeRequest>();
/** Names of this machine as they stand in URLs. */
export const LOOPBACK = new Set(['127.0.0.1', 'localhost', '[::1]']);

/**
 * What listens at `url` in this very process: whoever runs beside it need not connect to it. Anything in between, such as
 * a proxy, has a port of its own and is never passed by.
 */
export function listeningAt(url: URL): TakeRequest | undefined {
  return url.protocol === 'http:' && LOOPBACK.has(url.hostname) ? listeningHere.get(url.port) : undefined;
}

/** Times in milliseconds. Node looks for requests that are late only so often; at its default of 30 s slow headers would live for 40. */
const LISTENING = {
  requestTimeout: 30_000,
  headersTimeout: 10_000,
  connectionsCheckingInterval: 5_000,
  keepAliveTimeout: 65_000,
  // Node would answer without a word: a request without a host is refused below.
  requireHostHeader: false,
};

/** Listens on `host:port` (0 picks one). @throws Error with Node's code, EADDRINUSE when the port is taken. */
export async function listen(app: Express, host: string, port: number): Promise<Listening> {
  const unanswered = new Map<Duplex, Set<ServerResponse>>();
  let closing = false;
  const expectAnswer = ({ socket }: IncomingMessage, response: ServerResponse) => {
    const responses = unanswered.get(socket);
    responses?.add(response);
    response.once('close', () => {
      responses?.delete(response);
      if (closing && responses?.size === 0) socket.end();
    });
  };
  const refuseConnection = (socket: Duplex, problem: ProblemError) =>
    refuse(socket, problem, unanswered.get(socket) ?? new Set());
  const server = createServer(LISTENING, (request, response) => {
    expectAnswer(request, response);
    // Node drops what stands right behind an upgrade that nobody takes: a client that has sent more must learn of that.
    if (request.headers.upgrade !== undefined) response.setHeader('Connection', 'close');
    if (lacksHost(request)) answerWith(new ProblemError('malformed_request'), request, response);
    else app(request, response);
  });
  server.on('connection', (socket) => {
    unanswered.set(socket, new Set());
    socket.once('close', () => unanswered.delete(socket));
  });
  server.on('checkExpectation', (request, response) => {
    expectAnswer(request, response);
    answerWith(new ProblemError('expectation_failed'), request, response);
  });
  server.on('connect', (_request, socket) => {
    // Node has let go of the connection: a failure of it would be nobody's, and end the process.
    socket.on('error', () => socket.destroy());
    refuseConnection(socket, NO_TUNNEL);
  });
  server.on('clientError', (error, socket) => refuseConnection(socket, new ProblemError(refusalOf(error))));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const address = server.address();
  const listening = typeof address === 'object' && address ? address.port : port;
  const handedOver = new Set<ServerResponse>();
  listeningHere.set(String(listening), (request, response) => {
    handedOver.add(response);
    response.once('close', () => handedOver.delete(response));
    app(request, response);
  });
  return {
    port: listening,
    async close(graceMs = 5_000) {
      closing = true;
      listeningHere.delete(String(listening));
      const closed = Promise.all([
        new Promise<void>((resolve) => server.close(() => resolve())),
        ...Array.from(handedOver, (response) => new Promise<void>((resolve) => response.once('close', resolve))),
      ]);
      // Node closes only connections that idle after a request; those that never sent one would be waited for.
      for (const [socket, { size }] of unanswered) if (size === 0) socket.destroy();
      const timer = setTimeout(() => {
        server.closeAllConnections();
        for (const response of handedOver) response.destroy();
      }, graceMs);
      await closed;
      clearTimeout(timer);
    },
  };
}

/** Where to listen, and the settings by which a person chooses that. */
export interface Address {
  host: string;
  port: number;
  settings: { host: string; port: string };
}

/** Listens at an address. @throws Error that says which setting to change when the address is not to be had */
export async function listenOrExplain(app: Express, { host, port, settings }: Address): Promise<Listening> {
  return listen(app, host, port).catch((error: unknown) => {
    const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
    if (code === 'EADDRINUSE')
      throw new Error(`Port ${port} is taken: stop what uses it, or set ${settings.port} to another`);
    throw new Error(`Cannot listen on ${host}:${port} (${String(code)}): change ${settings.host} or ${settings.port}`, {
      cause: error,
    });
  });
}

/** HTTP/1.0 knows no Host (RFC 9112 §3.2). */
function lacksHost({ httpVersion, headers }: IncomingMessage): boolean {
  return httpVersion === '1.1' && headers.host === undefined;
}

/** What CONNECT names is a host and no resource, and no method is allowed of it (RFC 9110 §10.2.1). */
const NO_TUNNEL = new ProblemError('method_not_allowed', 'No tunnel is opened here', { headers: { Allow: '' } });

/** What is wrong with bytes that are no request, by the code of Node's parser and timers. */
function refusalOf(error: Error): ErrorCode {
  const code = 'code' in error ? error.code : undefined;
  if (code === 'HPE_HEADER_OVERFLOW') return 'header_fields_too_large';
  return code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 'request_timeout' : 'malformed_request';
}

interface Refusal {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** `problem` as sent without an app. The connection ends with it: nobody knows where on it the next request would begin. */
function refusal(problem: ProblemError, instance: string, requestId: string): Refusal {
  const body = JSON.stringify(problemBody(problem, instance, requestId));
  return {
    status: problem.status,
    headers: {
      ...problem.more.headers,
      'Content-Type': 'application/problem+json; charset=utf-8',
      'Content-Length': String(Buffer.byteLength(body)),
      'Cache-Control': 'no-store',
      'X-Request-Id': requestId,
      Connection: 'close',
    },
    body,
  };
}

function answerWith(problem: ProblemError, request: IncomingMessage, response: ServerResponse): void {
  const [path = '/'] = (request.url ?? '/').split('?');
  const { status, headers, body } = refusal(problem, path, requestIdOf(request.headers['x-request-id']));
  response.writeHead(status, headers).end(body);
}

/** A client that has been answered for the last time may still be sending; if it were cut off at once, the answer might be lost. */
const LINGER_MS = 2_000;

/**
 * Answers what never became a request, and ends the connection. No answer while another is owed or under way: the client would
 * take it for that one, or find it inside.
 */
function refuse(socket: Duplex, problem: ProblemError, unanswered: ReadonlySet<ServerResponse>): void {
  // It has had its last answer, and what came behind is no request either.
  if (socket.writableEnded) return;
  const [current, ...others] = unanswered;
  const owed = others.length > 0 || (current !== undefined && (current.headersSent || current.req.complete));
  if (owed || !socket.writable) {
    socket.destroy();
    return;
  }
  const { status, headers, body } = refusal(problem, '/', requestIdOf());
  const lines = Object.entries({ Date: new Date().toUTCString(), ...headers }).map(
    ([name, value]) => `${name}: ${value}`,
  );
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('\r\n')}\r\n\r\n${body}`);
  const timer = setTimeout(() => socket.destroy(), LINGER_MS).unref();
  socket.resume().once('close', () => clearTimeout(timer));
}

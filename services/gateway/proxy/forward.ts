import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { Dispatcher } from 'undici';
import { ProblemError } from '../../../kernel/errors';
import { isRead, type Method } from '../rules';
import type { Upstream } from '../upstreams';
import { allowOf, headersDown, joinLimits } from './headers';

/** One request as a service gets it. */
interface Call {
  method: Method;
  /** Path and query, percent-encoded as the client sent them. */
  path: string;
  headers: IncomingHttpHeaders;
  body: Buffer | undefined;
}

/**
 * Calls the service and streams its reply into `response`, at the client's pace. Resolves when the reply has ended, was cut
 * off (the client's connection is closed then, so that half a reply never looks whole) or the client has gone away.
 * Nothing but a read is ever sent twice.
 * @throws ProblemError upstream_unavailable when no answer began: unreachable, connection lost, or none within `answerMs`
 */
export async function forward(
  upstream: Upstream,
  call: Call,
  response: ServerResponse,
  answerMs: number,
): Promise<void> {
  const deadline = performance.now() + answerMs;
  const first = await exchange(upstream, call, response, deadline);
  if (first === 'done') return;
  // A connection that had been idle may be closed while the request travels on it, as at a restart of the service.
  const again = first === 'lost' && isRead(call.method);
  const last = again ? await exchange(upstream, call, response, deadline) : first;
  if (last === 'done') return;
  throw new ProblemError('upstream_unavailable', `${upstream.context} ${UNANSWERED[last]}`, { retryAfterSeconds: 2 });
}

const UNANSWERED = {
  lost: 'closed the connection before it answered; whether the request took effect is not known',
  late: 'did not answer in time; whether the request took effect is not known',
  unreachable: 'cannot be reached; the request had no effect',
};

type Outcome = 'done' | keyof typeof UNANSWERED;

function exchange(upstream: Upstream, call: Call, response: ServerResponse, deadline: number): Promise<Outcome> {
  return new Promise((resolve) => {
    let controller: Dispatcher.DispatchController | undefined;
    let stopped: Error | undefined;
    const timer = setTimeout(
      () => stop(controller ? 'late' : 'unreachable'),
      Math.max(0, deadline - performance.now()),
    );
    response.on('close', clientGone);

    function settle(outcome: Outcome) {
      clearTimeout(timer);
      response.off('close', clientGone);
      resolve(outcome);
    }
    function stop(outcome: Outcome) {
      stopped = new Error(outcome);
      controller?.abort(stopped);
      settle(outcome);
    }
    function clientGone() {
      stop('done');
    }
    if (response.destroyed) return stop('done');

    upstream.pool.dispatch(
      { method: call.method, path: `${upstream.base}${call.path}`, headers: call.headers, body: call.body ?? null },
      {
        onRequestStart(started) {
          controller = started;
          if (stopped) started.abort(stopped);
        },
        onResponseStart(_controller, status, headers) {
          if (stopped || status < 200) return; // interim replies concern this connection only
          clearTimeout(timer);
          begin(response, call.method, status, headers);
        },
        onResponseData(receiving, chunk) {
          if (stopped || response.write(chunk)) return;
          receiving.pause();
          response.once('drain', () => receiving.resume());
        },
        onResponseEnd() {
          if (stopped) return;
          response.end();
          settle('done');
        },
        onResponseError(_controller, error) {
          if (stopped) return;
          if (response.headersSent) response.destroy();
          settle(response.headersSent ? 'done' : outcomeOf(error));
        },
      },
    );
  });
}

function begin(response: ServerResponse, method: Method, status: number, given: IncomingHttpHeaders): void {
  const headers = { ...headersDown(given), ...joinLimits(response.getHeaders(), given) };
  if (method === 'OPTIONS' && status === 405) {
    // Services answer OPTIONS like any method they do not serve; what they list in Allow is the answer to it.
    const { 'content-length': _, 'content-type': __, ...rest } = headers;
    response.writeHead(204, { ...rest, allow: allowOf(given.allow) });
  } else {
    response.writeHead(status, headers);
  }
}

function outcomeOf(error: Error): Exclude<Outcome, 'done'> {
  const code = 'code' in error ? String(error.code) : '';
  if (code === 'UND_ERR_CONNECT_TIMEOUT' || UNREACHABLE.test(code)) return 'unreachable';
  return 'lost';
}

// Errors of connecting, before which nothing was sent (getaddrinfo, connect).
const UNREACHABLE = /^(ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|EHOSTDOWN|ENOTFOUND|EAI_AGAIN|EADDRNOTAVAIL)$/;

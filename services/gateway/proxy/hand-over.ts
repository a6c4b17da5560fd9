import type { IncomingHttpHeaders } from 'node:http';
import type { Request, Response } from 'express';
import { ProblemError } from '../../../kernel/errors';
import type { RoutedContext } from '../../../kernel/modules';
import type { TakeRequest } from '../../../platform/listen';
import { NO_STORE } from './headers';

/** A read as the service gets it. */
interface Read {
  context: RoutedContext;
  /** Path and query, percent-encoded as the client sent them. */
  path: string;
  headers: IncomingHttpHeaders;
  /** The client's, which is not always that of the connection. */
  address: string;
}

/**
 * Gives a read to a service in this process, which writes its answer straight into the client's response: a second request over
 * a connection of its own costs more than most reads themselves. Everything else is passed on by `forward`, where the gateway
 * stays between the two. Resolves when the response has ended or the client has gone away.
 * @throws ProblemError upstream_unavailable when no answer began within `answerMs`
 */
export function handOver(
  take: TakeRequest,
  read: Read,
  request: Request,
  response: Response,
  answerMs: number,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      if (response.headersSent) return;
      // The service may still write: whatever comes then must not be taken for the answer to another request.
      response.set('Connection', 'close');
      const detail = `${read.context} did not answer in time`;
      reject(new ProblemError('upstream_unavailable', detail, { retryAfterSeconds: 2 }));
    }, answerMs);
    response.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
    request.url = read.path;
    request.originalUrl = read.path;
    request.headers = read.headers;
    response.locals = { address: read.address };
    response.set(NO_STORE);
    take(request, response);
  });
}

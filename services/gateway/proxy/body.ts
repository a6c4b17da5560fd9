import type { IncomingMessage } from 'node:http';
import { ProblemError } from '../../../kernel/errors';
import { BODY_LIMIT_BYTES } from '../../../platform/http-server';

/**
 * The whole body of `request`, `undefined` when it has none. Bodies are small, so they are read before a service is
 * called: whoever sends slowly, too much or broken chunks keeps nothing busy but its own connection, and the service
 * always gets a body of stated length.
 * @param deadlineMs for the whole body, however steadily it drips
 * @throws ProblemError payload_too_large, request_timeout, malformed_body (it did not arrive whole)
 */
export async function readBody(request: IncomingMessage, deadlineMs: number): Promise<Buffer | undefined> {
  const length = request.headers['content-length'];
  const chunked = request.headers['transfer-encoding'] !== undefined;
  if (!chunked && (length === undefined || length === '0')) return undefined;
  // Node reads on and discards the rest after the answer, so that the client gets to see it.
  if (Number(length) > BODY_LIMIT_BYTES) throw new ProblemError('payload_too_large');
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const timer = setTimeout(() => stop(new ProblemError('request_timeout')), deadlineMs);
    request.on('data', take).on('end', finish).on('error', broken).on('close', broken);

    function take(chunk: Buffer) {
      bytes += chunk.length;
      if (bytes > BODY_LIMIT_BYTES) stop(new ProblemError('payload_too_large'));
      else chunks.push(chunk);
    }
    function finish() {
      release();
      resolve(bytes === 0 ? undefined : Buffer.concat(chunks, bytes));
    }
    function broken() {
      stop(new ProblemError('malformed_body', 'The body did not arrive whole'));
    }
    function stop(problem: ProblemError) {
      release();
      // A later error of this stream (the client goes away) is nobody's business any more, and must not be uncaught.
      request.on('error', () => undefined).resume();
      reject(problem);
    }
    function release() {
      clearTimeout(timer);
      request.off('data', take).off('end', finish).off('error', broken).off('close', broken);
    }
  });
}

import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createClients } from '../../activities';
import { ProblemError } from '../../kernel/errors';
import { loadConfig } from '../../platform/config';
import type { Endpoint } from '../../platform/endpoint';
import { problemBody } from '../../platform/problem';
import { contracts } from './contracts';

/** A call of an internal operation, as it arrived. */
export interface Called {
  operation: string;
  path: string;
  key: string | undefined;
  body: unknown;
}

/** What an operation answers: a body for its one success status, or a refusal. */
export type Answers = Record<string, unknown>;

/**
 * A server in the place of each service, which holds every call and every answer against the services' own contracts: for
 * activities, whose work is to call the right operations with the right values. With the real services the same activities run
 * in the tests of whole sagas.
 */
export async function startStandIns() {
  const calls: Called[] = [];
  const answers: Answers = {};

  async function answer(
    contract: Readonly<Record<string, Endpoint>>,
    request: IncomingMessage,
  ): Promise<{ status: number; body?: unknown }> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(Buffer.from(chunk));
    const text = Buffer.concat(chunks).toString();
    const path = String(request.url);
    const operation = Object.values(contract).find(
      (one) =>
        one.access === 'service' && one.method === request.method?.toLowerCase() && patternOf(one.path).test(path),
    );
    if (!operation) throw new Error(`no contract has ${request.method} ${path}`);
    const key = request.headers['idempotency-key'];
    if (operation.idempotency === 'required' && !key) throw new ProblemError('idempotency_key_required');
    const body: unknown = text === '' ? undefined : JSON.parse(text);
    calls.push({ operation: operation.operationId, path, key: key === undefined ? undefined : String(key), body });
    if (operation.body && !operation.body.safeParse(body).success) throw new ProblemError('validation_failed');
    const given = answers[operation.operationId];
    if (given instanceof ProblemError) throw given;
    const [[status, schema]] = Object.entries(operation.replies) as [[string, Endpoint['replies'][200]]];
    return schema ? { status: Number(status), body: schema.parse(given) } : { status: Number(status) };
  }

  const servers = [...contracts.values()].map(
    (contract): Server =>
      createServer((request, response) => {
        answer(contract, request).then(
          ({ status, body }) => {
            if (body === undefined) response.writeHead(status).end();
            else response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
          },
          (error: unknown) => {
            const problem =
              error instanceof ProblemError ? error : new ProblemError('internal', `the test: ${String(error)}`);
            response.writeHead(problem.status, { 'content-type': 'application/problem+json' });
            response.end(JSON.stringify(problemBody(problem, String(request.url), 'test')));
          },
        );
      }),
  );
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve) => {
          server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
        }),
    ),
  );
  const urls = [...contracts.keys()].map((name, index) => [
    `${name.toUpperCase()}_URL`,
    `http://127.0.0.1:${ports[index]}`,
  ]);
  const clients = createClients(
    loadConfig(
      {
        SERVICE_TOKEN_SECRET: 'only-for-tests-only-for-tests-only-for-tests',
        PUBLIC_URL: 'https://tutorconnect.example',
        ...Object.fromEntries(urls),
      },
      'no-env-file-in-tests',
    ),
  );
  return {
    clients,
    /** Every call since the last `forget`, in the order of arrival. */
    calls,
    /** Answers by operation id; one that is not there is asked for a body that its contract does not know, and fails. */
    answers,
    forget(): void {
      calls.splice(0);
      for (const operation of Object.keys(answers)) delete answers[operation];
    },
    async close(): Promise<void> {
      await clients.close();
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
}

export type StandIns = Awaited<ReturnType<typeof startStandIns>>;

function patternOf(path: string): RegExp {
  return new RegExp(`^${path.replaceAll(/\{[^}]+\}/g, '[^/]+')}(\\?.*)?$`);
}

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  createEndpointHandler,
  type WorkflowContext,
  type WorkflowSharedContext,
  workflow,
} from '@restatedev/restate-sdk';
import { connect } from '@restatedev/restate-sdk-clients';
import { freePorts } from '../../dev/machine/ports';
import { type Order, type Outcome, untilReminder } from '../order';
import { bookSession, createSteps, RETRY, type Steps } from '../saga';
import type { StartEngine } from './engine';

const OUTCOME = 'outcome';
const READY_MS = 60_000;

/** @throws Error where npm has no server for this platform */
function serverProgram(): string {
  return require.resolve(`@restatedev/restate-server-${process.platform}-${process.arch}/bin/restate-server`);
}

/** A server of Restate's own records every step's answer in its log. A promise of the workflow answers the caller. */
export const startRestate: StartEngine = async ({ clients, folder }) => {
  const booking = workflow({ name: 'booking', handlers: handlersOf(createSteps(clients)) });
  const handlers = createServer(createEndpointHandler({ services: [booking], logger: () => undefined }));
  await new Promise<void>((resolve) => handlers.listen(0, '127.0.0.1', resolve));
  const { port } = handlers.address() as AddressInfo;
  const [ingressPort = 0, adminPort = 0, nodePort = 0] = await freePorts(3);
  const server = spawn(
    serverProgram(),
    ['--no-logo', '--listen-mode', 'tcp', '--bind-ip', '127.0.0.1', '--base-dir', folder],
    {
      stdio: 'ignore',
      env: {
        PATH: process.env.PATH,
        RESTATE_INGRESS__BIND_PORT: String(ingressPort),
        RESTATE_ADMIN__BIND_PORT: String(adminPort),
        RESTATE_BIND_PORT: String(nodePort),
        RESTATE_DISABLE_TELEMETRY: 'true',
      },
    },
  );
  try {
    await registered(server, `http://127.0.0.1:${adminPort}`, `http://127.0.0.1:${port}`);
  } catch (error) {
    server.kill('SIGKILL');
    throw error;
  }
  const ingress = connect({ url: `http://127.0.0.1:${ingressPort}` });
  return {
    async book(order) {
      const saga = ingress.workflowClient<typeof booking>({ name: 'booking' }, order.bookingId);
      await saga.workflowSubmit(order);
      return saga.outcome();
    },
    async close() {
      const exit = once(server, 'exit');
      server.kill('SIGTERM');
      const late = setTimeout(() => server.kill('SIGKILL'), 5_000);
      await exit;
      clearTimeout(late);
      handlers.close();
    },
  };
};

function handlersOf(steps: Steps) {
  return {
    run: (ctx: WorkflowContext, order: Order): Promise<void> =>
      bookSession(steps, order, {
        run: (name, step) =>
          ctx.run(name, step, {
            initialRetryInterval: RETRY.firstMs,
            retryIntervalFactor: RETRY.factor,
            maxRetryInterval: RETRY.longestMs,
            maxRetryAttempts: RETRY.attempts,
          }),
        answer: (outcome) => ctx.promise<Outcome>(OUTCOME).resolve(outcome),
        live: () => ctx.sleep(untilReminder(order)),
      }),
    outcome: async (ctx: WorkflowSharedContext): Promise<Outcome> => ctx.promise<Outcome>(OUTCOME).get(),
  };
}

/** Waits for the server and tells it where the handlers are. */
async function registered(server: ChildProcess, admin: string, uri: string): Promise<void> {
  const deadline = Date.now() + READY_MS;
  for (;;) {
    const reply = await fetch(`${admin}/deployments`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ uri }),
    }).catch(() => undefined);
    if (reply?.ok) return;
    if (server.exitCode !== null) throw new Error(`The Restate server ended (${server.exitCode})`);
    if (Date.now() > deadline)
      throw new Error(`The Restate server is not ready: ${reply ? await reply.text() : 'no answer'}`);
    await sleep(200);
  }
}

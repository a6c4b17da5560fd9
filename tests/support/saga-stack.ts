import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clients } from '../../activities/clients';
import { sandboxState } from '../../dev/chaos/stripe-state';
import { startStripeSandbox } from '../../dev/stripe-sandbox/server';
import { DATABASE_CONTEXTS, type DatabaseContext } from '../../kernel/modules';
import { serviceTokens } from '../../platform/auth';
import { byName } from '../../platform/config';
import type { Endpoint } from '../../platform/endpoint';
import { createServiceClient, type ServiceClient } from '../../platform/http-client';
import { definitionOf } from '../../services';
import { startScriptedSmtp } from './mail';
import { ask, startTestService, type TestService } from './service';

export type SagaStack = Awaited<ReturnType<typeof startSagaStack>>;

/**
 * All that activities of sagas call, as it runs: the services with their databases, a Stripe sandbox, and a mail server that
 * accepts connections and says nothing. There is no Temporal: a test calls the steps itself.
 */
export async function startSagaStack() {
  const dataDir = await mkdtemp(join(tmpdir(), 'stripe-sandbox-test-'));
  const sandbox = await startStripeSandbox({ port: 0, dataDir });
  const smtp = await startScriptedSmtp({ greeting: 'hang' });
  const environment = { STRIPE_API_BASE: sandbox.url, SMTP_URL: smtp.url, SHUTDOWN_GRACE_SECONDS: '1' };
  const started = new Map(
    await Promise.all(
      DATABASE_CONTEXTS.map(
        async (name): Promise<[DatabaseContext, TestService]> => [
          name,
          await startTestService(definitionOf(name), { environment }),
        ],
      ),
    ),
  );
  const services = byName(DATABASE_CONTEXTS, (name) => {
    const service = started.get(name);
    if (!service) throw new Error(`${name} was not started`);
    return service;
  });
  const called: Endpoint[] = [];
  const opened: ServiceClient[] = [];
  const clientOf = ({ url, config }: TestService): ServiceClient => {
    const http = createServiceClient(url, serviceTokens(config.SERVICE_TOKEN_SECRET));
    opened.push(http);
    return {
      call(operation, parts) {
        called.push(operation);
        return http.call(operation, parts);
      },
      close: () => http.close(),
    };
  };
  const clients: Clients = {
    clientOf: (context, create) => create(clientOf(services[context])),
    publicUrl: 'https://tutorconnect.example',
    close: async () => void (await Promise.all(opened.map((http) => http.close()))),
  };
  return {
    clients,
    /** The operations that were called, in order. */
    called,
    ...services,
    /** What a control of the Stripe sandbox does. */
    sandbox: (method: string, path: string, body?: unknown) =>
      ask(sandbox.url, method, `/sandbox${path}`, body === undefined ? {} : { body }),
    /** Everything at Stripe. */
    atStripe: () => sandboxState({ sandbox: (method, path) => ask(sandbox.url, method, path) }),
    async close() {
      await clients.close();
      await sandbox.close();
      await Promise.all([...started.values()].map((service) => service.close()));
      await smtp.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

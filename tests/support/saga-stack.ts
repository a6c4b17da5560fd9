import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sandboxState } from '../../dev/chaos/stripe-state';
import { startStripeSandbox } from '../../dev/stripe-sandbox/server';
import { serviceTokens } from '../../platform/auth';
import type { Endpoint } from '../../platform/endpoint';
import { createServiceClient, type ServiceClient } from '../../platform/http-client';
import { createBookingClient } from '../../services/booking/client';
import { bookingService } from '../../services/booking/routes';
import { createIdentityClient } from '../../services/identity/client';
import { identityService } from '../../services/identity/routes';
import { createNotificationClient } from '../../services/notification/client';
import { notificationService } from '../../services/notification/routes';
import { createPaymentClient } from '../../services/payment/client';
import { paymentService } from '../../services/payment/routes';
import { createTutoringClient } from '../../services/tutoring/client';
import { tutoringService } from '../../services/tutoring/routes';
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
  const [booking, identity, notification, payment, tutoring] = await Promise.all([
    startTestService(bookingService, { environment }),
    startTestService(identityService, { environment }),
    startTestService(notificationService, { environment }),
    startTestService(paymentService, { environment }),
    startTestService(tutoringService, { environment }),
  ]);
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
  const clients = {
    booking: createBookingClient(clientOf(booking)),
    identity: createIdentityClient(clientOf(identity)),
    notification: createNotificationClient(clientOf(notification)),
    payment: createPaymentClient(clientOf(payment)),
    tutoring: createTutoringClient(clientOf(tutoring)),
    publicUrl: 'https://tutorconnect.example',
    close: async () => void (await Promise.all(opened.map((http) => http.close()))),
  };
  return {
    clients,
    /** The operations that were called, in order. */
    called,
    booking,
    identity,
    notification,
    payment,
    tutoring,
    /** Everything at Stripe. */
    atStripe: () => sandboxState({ sandbox: (method, path) => ask(sandbox.url, method, path) }),
    async close() {
      await clients.close();
      await sandbox.close();
      await Promise.all([booking, identity, notification, payment, tutoring].map((service) => service.close()));
      await smtp.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

import { serviceTokens } from '../platform/auth';
import type { Config } from '../platform/config';
import { createServiceClient } from '../platform/http-client';
import { createBookingClient } from '../services/booking/client';
import { createIdentityClient } from '../services/identity/client';
import { createNotificationClient } from '../services/notification/client';
import { createPaymentClient } from '../services/payment/client';
import { createTutoringClient } from '../services/tutoring/client';

/** A client of every service that activities call, with one pool of connections each. */
export function createClients(config: Config) {
  const tokens = serviceTokens(config.SERVICE_TOKEN_SECRET);
  const http = {
    booking: createServiceClient(config.serviceUrl.booking, tokens),
    identity: createServiceClient(config.serviceUrl.identity, tokens),
    notification: createServiceClient(config.serviceUrl.notification, tokens),
    payment: createServiceClient(config.serviceUrl.payment, tokens),
    tutoring: createServiceClient(config.serviceUrl.tutoring, tokens),
  };
  return {
    booking: createBookingClient(http.booking),
    identity: createIdentityClient(http.identity),
    notification: createNotificationClient(http.notification),
    payment: createPaymentClient(http.payment),
    tutoring: createTutoringClient(http.tutoring),
    /** Where links in mails start. */
    publicUrl: config.PUBLIC_URL,
    async close() {
      await Promise.all(Object.values(http).map((client) => client.close()));
    },
  };
}

export type Clients = ReturnType<typeof createClients>;

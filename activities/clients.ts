import { serviceTokens } from '../platform/auth';
import type { Config } from '../platform/config';
import { createServiceClient, type ServiceClient } from '../platform/http-client';
import { type BookingClient, createBookingClient } from '../services/booking/client';
import { createIdentityClient, type IdentityClient } from '../services/identity/client';
import { createNotificationClient, type NotificationClient } from '../services/notification/client';
import { createPaymentClient, type PaymentClient } from '../services/payment/client';
import { createTutoringClient, type TutoringClient } from '../services/tutoring/client';
import { PLACES, withPlaces } from './places';

/** A client of every service that activities call, with one pool of connections each. */
export interface Clients {
  booking: BookingClient;
  identity: IdentityClient;
  notification: NotificationClient;
  payment: PaymentClient;
  tutoring: TutoringClient;
  /** Where links in mails start. */
  publicUrl: string;
  close(): Promise<void>;
}

/** What a worker opens: clients without a limit, and others for activities whose calls may wait for a vendor only so many at a time. */
export interface OpenClients extends Clients {
  /** Clients with connections of their own and `PLACES` for each service. They are closed with these. */
  limited(): Clients;
}

/** Nothing is connected until it is called. */
export function createClients(config: Config): OpenClients {
  const tokens = serviceTokens(config.SERVICE_TOKEN_SECRET);
  const opened: Clients[] = [];
  const open = (limit: (http: ServiceClient) => ServiceClient): Clients => {
    const clients = clientsOver((url) => limit(createServiceClient(url, tokens)), config);
    opened.push(clients);
    return clients;
  };
  return {
    ...open((http) => http),
    limited: () => open((http) => withPlaces(http, PLACES)),
    async close() {
      await Promise.all(opened.map((clients) => clients.close()));
    },
  };
}

function clientsOver(serviceClient: (url: string) => ServiceClient, { serviceUrl, PUBLIC_URL }: Config): Clients {
  const http = {
    booking: serviceClient(serviceUrl.booking),
    identity: serviceClient(serviceUrl.identity),
    notification: serviceClient(serviceUrl.notification),
    payment: serviceClient(serviceUrl.payment),
    tutoring: serviceClient(serviceUrl.tutoring),
  };
  return {
    booking: createBookingClient(http.booking),
    identity: createIdentityClient(http.identity),
    notification: createNotificationClient(http.notification),
    payment: createPaymentClient(http.payment),
    tutoring: createTutoringClient(http.tutoring),
    publicUrl: PUBLIC_URL,
    async close() {
      await Promise.all(Object.values(http).map((client) => client.close()));
    },
  };
}

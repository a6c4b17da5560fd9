import type { DatabaseContext } from '../kernel/modules';
import { serviceTokens } from '../platform/auth';
import type { Config } from '../platform/config';
import { createServiceClient, type ServiceClient } from '../platform/http-client';
import { PLACES, withPlaces } from './places';

/** What activities call services by: one pool of connections for each context of the one list. */
export interface Clients {
  /** The client that `create`, of the context's room `client`, makes of the context's pool: `clientOf('booking', createBookingClient)`. */
  clientOf<Client>(context: DatabaseContext, create: (http: ServiceClient) => Client): Client;
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
  const pools = new Map<DatabaseContext, ServiceClient>();
  return {
    clientOf(context, create) {
      const pool = pools.get(context) ?? serviceClient(serviceUrl[context]);
      pools.set(context, pool);
      return create(pool);
    },
    publicUrl: PUBLIC_URL,
    async close() {
      await Promise.all([...pools.values()].map((pool) => pool.close()));
    },
  };
}

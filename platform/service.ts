import { type Database, type DatabaseClient, openDatabase } from '../db/client';
import type { ContextName, DatabaseContext } from '../kernel/modules';
import { HOUR, SECOND } from '../kernel/time';
import { serviceTokens, userVerifier, type VerifyUser } from './auth';
import { startConsumer } from './bus/consume';
import type { Consumer } from './bus/consumer';
import type { Loop } from './bus/loop';
import type { Bus } from './bus/open';
import { type Outbox, startRelay } from './bus/relay';
import { type Changes, createChanges } from './changes';
import type { Config } from './config';
import type { Endpoint } from './endpoint';
import type { EventSchemas, KeyedTopics } from './event-schema';
import { createService, type Service } from './http-server';
import { forgetOldKeys } from './idempotency';
import { type Address, listenOrExplain } from './listen';
import { answers, type Readiness } from './management';
import { outboxOf } from './outbox';
import { createLogger, type Logger, statementCounter } from './telemetry';
import type { Sagas } from './temporal';
import { withinMs } from './within';

/** What every service is handed at its start. */
export interface Platform {
  config: Config;
  /** Starts and drives sagas; made once per process. */
  sagas: Sagas;
  /** Where events go and come from; made once per process. */
  bus: Bus;
}

/** What the routes of a service with a database work with. */
export interface ServiceDeps extends Platform {
  logger: Logger;
  database: DatabaseClient;
  /** By which a request waits for a row that a saga changes. */
  changes: Changes;
}

export interface Running {
  name: string;
  port: number;
  /** Whether it can do its work at this moment. Never rejects. */
  readiness(): Promise<Readiness>;
  /**
   * Stops accepting requests, has those that wait for a change answered at once, lets running ones end, then what runs beside them, and closes
   * the database. What has not ended by SHUTDOWN_GRACE_SECONDS is cut off.
   */
  close(): Promise<void>;
}

export interface ServiceDefinition {
  name: DatabaseContext;
  contract: Readonly<Record<string, Endpoint>>;
  /** What it tells others: they hear of it by the topic `<name>.events`. */
  events: EventSchemas;
  /** Its topics that keep the newest state of each key. */
  keyed?: KeyedTopics;
  /** Whether what its users look for decides how its database finds it; see `openDatabase`. */
  planByValue?: boolean;
  /** Registers a handler for every operation of the contract. What it returns is closed before the database is. */
  routes(service: Service, deps: ServiceDeps): Promise<{ close(): Promise<void> } | undefined> | undefined;
  /** What it publishes beside the events of its context. */
  outboxes?: (db: Database) => Outbox[];
  /** What it does of the events of the bus. */
  consumers?: readonly Consumer[];
  /** identity checks tokens with its own keys; everybody else by identity's JWKS. */
  verifyUser?: (deps: ServiceDeps) => VerifyUser;
}

/** What a saga adds to the service of its context: operations of its own, such as the one that starts it. */
export interface ServicePart {
  contract: ServiceDefinition['contract'];
  routes(service: Service, deps: ServiceDeps): void;
}

/**
 * Starts one service with its own database pool and port. Connects at the first query, so that it starts while its
 * database is down. @throws Error naming the setting when no database or port is to be had
 */
export async function runService(definition: ServiceDefinition, platform: Platform): Promise<Running> {
  const { name } = definition;
  const { config } = platform;
  const url = config.databaseUrl[name];
  if (!url)
    throw new Error(
      `${name} has no database: set ${name.toUpperCase()}_DATABASE_URL, or DATABASE_URL and DATABASE_ROLE_SECRET`,
    );
  const logger = createLogger(name, config.LOG_LEVEL);
  const database = openDatabase(url, {
    poolSize: config.DATABASE_POOL_SIZE,
    applicationName: name,
    onStatement: statementCounter(name),
    planByValue: definition.planByValue,
  });
  const changes = createChanges(database, logger);
  const deps: ServiceDeps = { ...platform, logger, database, changes };
  const service = createService({
    name,
    logger,
    contract: definition.contract,
    published: definition,
    settling: config.SETTLEMENT_CURRENCIES,
    verifyUser: definition.verifyUser?.(deps) ?? userVerifier(config.serviceUrl.identity),
    serviceTokens: serviceTokens(config.SERVICE_TOKEN_SECRET),
  });
  let opened: Awaited<ReturnType<ServiceDefinition['routes']>>;
  const loops: Loop[] = [];
  const graceMs = config.SHUTDOWN_GRACE_SECONDS * SECOND;
  /** A step that waits for a server that hangs would never end. Cut off it fails, and is taken again by whoever goes on. */
  const closeRest = async (ms: number) => {
    try {
      await withinMs(ms, Promise.all([opened?.close(), ...loops.map((loop) => loop.close())]));
    } finally {
      await database.close();
    }
  };
  try {
    opened = await definition.routes(service, deps);
    service.finish();
    loops.push(...startLoops(definition, deps));
    const listening = await listenOrExplain(service.app, addressOf(name, config));
    const tidying = setInterval(() => {
      forgetOldKeys(database.db).catch((error: unknown) =>
        logger.warn({ err: error }, 'old idempotency keys are kept for now'),
      );
    }, HOUR).unref();
    return {
      name,
      port: listening.port,
      readiness: () => readinessOf(database, platform),
      async close() {
        clearInterval(tidying);
        const deadline = performance.now() + graceMs;
        const stopped = listening.close(graceMs);
        changes.close();
        await stopped;
        await closeRest(deadline - performance.now());
      },
    };
  } catch (error) {
    await closeRest(graceMs);
    throw error;
  }
}

/** What runs beside the requests of a service: its relays and its consumers. @throws Error when it is not known where the bus is */
function startLoops(definition: ServiceDefinition, deps: ServiceDeps): Loop[] {
  const { name: service, outboxes, consumers = [] } = definition;
  const { bus, config, logger, changes, database } = deps;
  const appender = bus.appender();
  // What it asks of the database is nobody's request.
  const db = database.countedBy(statementCounter('bus'));
  const published = [outboxOf(service, db), ...(outboxes?.(db) ?? [])];
  return [
    ...published.map((outbox) => startRelay({ bus: appender, outbox, changes, logger, holder: bus.holder })),
    ...consumers.map((consumer) => startConsumer({ service, bus: bus.reader(), db, consumer, config, logger })),
  ];
}

/** Where a service listens. */
export function addressOf(name: ContextName, { HOST: host, servicePort }: Config): Address {
  return { host, port: servicePort[name], settings: { host: 'HOST', port: `${name.toUpperCase()}_PORT` } };
}

/** A service is ready when its reads can be answered; they need neither Temporal nor the bus. */
async function readinessOf(database: DatabaseClient, { sagas, bus }: Platform): Promise<Readiness> {
  const [db, ...others] = await Promise.all([
    answers(() => database.sql`select 1`),
    answers(() => sagas.ping()),
    answers(() => bus.reader().ping()),
  ]);
  return { ready: db, degraded: ['temporal', 'bus'].filter((_, index) => !others[index]) };
}

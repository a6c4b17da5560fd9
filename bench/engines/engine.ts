import type { OpenClients } from '../../activities';
import type { Config } from '../../platform/config';
import type { Order, Outcome } from '../order';

/** An engine as the host runs it. */
export interface Engine {
  /** Makes the booking and resolves when the client can be told. The rest of the saga goes on by itself. */
  book(order: Order): Promise<Outcome>;
  close(): Promise<void>;
}

export interface EngineContext {
  config: Config;
  clients: OpenClients;
  /** A database of the engine's own on the platform's Postgres server. */
  databaseUrl: string;
  /** A folder of the engine's own, deleted with the platform. */
  folder: string;
  /** Connections the engine may keep to its database. */
  poolSize: number;
}

export type StartEngine = (context: EngineContext) => Promise<Engine>;

import { hostname } from 'node:os';
import type { BusRole } from '../../db/roles';
import type { Config } from '../config';
import { createLogger } from '../telemetry';
import { type Appending, openAppender, openReader, type Reading } from './postgres';
import type { BusAppender, BusReader } from './transport';

/** The event bus as the parts of a process share it. */
export interface Bus {
  /** Names this process to those who look who has a lease. */
  holder: string;
  /** @throws Error naming the setting when it is not known where the bus is */
  appender(): BusAppender;
  /** @throws Error naming the setting when it is not known where the bus is */
  reader(): BusReader;
  /** From now on nobody waits for events: those who do look once more. */
  stopWaiting(): void;
  close(): Promise<void>;
}

/** The bus that the settings name. A process has two connections to it at most, and none before one is needed. */
export function openBus(config: { busUrl: Partial<Config['busUrl']>; LOG_LEVEL: string }): Bus {
  const logger = createLogger('bus', config.LOG_LEVEL);
  const holder = `${hostname()}:${process.pid}`;
  let appending: Appending | undefined;
  let reading: Reading | undefined;
  const urlOf = (role: BusRole) => {
    const url = config.busUrl[role];
    if (url) return url;
    throw new Error(
      `It is not known where the event bus is: set ${role.toUpperCase()}_DATABASE_URL, or DATABASE_URL and DATABASE_ROLE_SECRET`,
    );
  };
  return {
    holder,
    appender() {
      appending ??= openAppender(urlOf('bus_appender'), `bus ${holder}`);
      return appending;
    },
    reader() {
      reading ??= openReader(urlOf('bus_reader'), `bus ${holder}`, logger);
      return reading;
    },
    stopWaiting: () => reading?.stopWaiting(),
    async close() {
      await Promise.all([appending?.close(), reading?.close()]);
    },
  };
}

import { openBus } from '../../platform/bus/open';
import type { BusEvent, BusReader, Cursor, Placed } from '../../platform/bus/transport';
import { loadConfig } from '../../platform/config';
import { uuidv7 } from '../../platform/ids';
import { createTestDatabase } from './database';

/** A bus of its own for one test file, in Postgres. */
export async function startTestBus() {
  const database = await createTestDatabase('bus');
  const open = (url = database.url) => openBus({ busUrl: { bus_appender: url, bus_reader: url }, LOG_LEVEL: 'silent' });
  const bus = open();
  return {
    ...bus,
    /** As another process has it. */
    open,
    sql: database.sql,
    async close() {
      bus.stopWaiting();
      await bus.close();
      await database.drop();
    },
  };
}

export type TestBus = Awaited<ReturnType<typeof startTestBus>>;

/** An event of a topic, as a relay hands it over. */
export function busEvent(given: Partial<BusEvent> = {}): BusEvent {
  return {
    specversion: '1.0',
    id: uuidv7(),
    source: '/notification',
    type: 'Happened',
    subject: uuidv7(),
    time: new Date().toISOString(),
    datacontenttype: 'application/json',
    streamversion: 1,
    data: {},
    ...given,
  };
}

/** All of a topic from a cursor on, read page by page. */
export async function readAll(
  reader: BusReader,
  topic: string,
  after: Cursor | null = null,
  page = 100,
): Promise<Placed[]> {
  const all: Placed[] = [];
  for (let at = after; ; ) {
    const { items } = await reader.read(topic, at, page);
    const last = items.at(-1);
    if (!last) return all;
    all.push(...items);
    at = last.cursor;
  }
}

/** Settings for a consumer that is run without its service. */
export const CONSUMER_SETTINGS = loadConfig(
  {
    SERVICE_TOKEN_SECRET: 'a consumer calls nobody, and so needs none of its own',
    NOTIFICATION_KEY_SECRET: 'what a consumer seals in a test, it opens in a test',
    PUBLIC_URL: 'https://tutorconnect.example',
  },
  'no-env-file-in-tests',
);

import { event } from '../../platform/event-schema';
import type { KeyedRequest, once } from '../../platform/idempotency';
import { uuidv7 } from '../../platform/ids';
import { appendEvent } from '../../platform/outbox';
import { createTestDatabase, type TestDatabase } from './database';

const EVENTS = { Happened: event('A command took effect.', {}) };

/** A request of a service under a key of its own, but for what `overrides` says. */
export const request = (overrides: Partial<KeyedRequest> = {}): KeyedRequest => ({
  owner: 'service',
  key: `booking:${uuidv7()}/step`,
  fingerprint: 'f1',
  ...overrides,
});

/** A ProblemError of this code. */
export const refusedWith = (code: string) => expect.objectContaining({ code });

/** A database with keys for one test file, made before its tests and dropped after them, and commands whose effects can be counted. */
export function keyedRequests() {
  let opened: TestDatabase | undefined;
  const reached = () => {
    if (!opened) throw new Error('the database is there from beforeAll to afterAll');
    return opened;
  };
  beforeAll(async () => {
    opened = await createTestDatabase('notification');
  });
  afterAll(() => opened?.drop());

  return {
    db: () => reached().db,
    database: {
      get sql() {
        return reached().sql;
      },
    },

    /** A command that counts how often it took effect. */
    command(streamId = uuidv7()) {
      return {
        effect: async (tx: Parameters<Parameters<typeof once>[2]>[0]) => {
          await appendEvent(tx, EVENTS, { streamId, type: 'Happened', data: {} });
          return { status: 201, body: { z: 1, a: [streamId] } };
        },
        times: async () => {
          const [row] = await reached().sql`select count(*)::int as times from events where stream_id = ${streamId}`;
          return row?.times;
        },
      };
    },
  };
}

/**
 * The sandbox's memory, in LMDB. A request reads and changes it through one unit of work, committed as one
 * transaction: objects, balances, events, webhook deliveries and the idempotent reply appear together or not at all.
 */
import { mkdirSync } from 'node:fs';
import { open } from 'lmdb';
import {
  DEFAULT_SETTINGS,
  type Job,
  NO_REQUEST,
  type Origin,
  openTables,
  type Queue,
  type Settings,
  type WebhookEndpoint,
  type WebhookEndpoints,
} from './tables';
import { Tx, UnitOfWork } from './unit-of-work';

/** The platform's was the only one once, and keeps its key. */
const ENDPOINT_KEYS = { platform: 'current', connect: 'connect' } as const;

export type Store = ReturnType<typeof openStore>;

/** Opens (or makes) the database in a directory, which belongs to one process at a time. */
export function openStore(directory: string) {
  mkdirSync(directory, { recursive: true });
  const root = open({ path: directory, maxDbs: 32 });
  const tables = openTables(root);
  // Settings of an earlier version do not name all that there is now.
  let settings: Settings = { ...DEFAULT_SETTINGS, ...tables.settings.get('current') };
  let endpoints: WebhookEndpoints = {
    platform: tables.endpoints.get(ENDPOINT_KEYS.platform),
    connect: tables.endpoints.get(ENDPOINT_KEYS.connect),
  };
  let wake: (queue: Queue, dueAt: number) => void = () => {};

  return {
    /** Calls back whenever a committed unit of work has added jobs. */
    onJobs(listener: (queue: Queue, dueAt: number) => void): void {
      wake = listener;
    },

    /** Runs `work` alone and commits all its changes at once; resolves when they are on disk. A throw changes nothing. */
    async transact<T>(account: string, origin: Origin, work: (tx: Tx) => T): Promise<T> {
      const { result, wakeUps } = await root.transaction(() => {
        const unit = new UnitOfWork(tables, { origin, settings, endpoints });
        const result = work(new Tx(unit, account));
        unit.flush();
        return { result, wakeUps: unit.wakeUps };
      });
      for (const [queue, dueAt] of wakeUps) wake(queue, dueAt);
      return result;
    },

    /** A view of what is committed; changes made through it go nowhere. */
    read(account: string): Tx {
      return new Tx(new UnitOfWork(tables, { origin: NO_REQUEST, settings, endpoints }), account);
    },

    /** Jobs due by `until`, earliest first. */
    *dueJobs(queue: Queue, until: number): Generator<Job> {
      for (const { value } of tables.jobs.getRange({ start: [queue], end: [queue, until + 1] })) yield value;
    },

    nextJobDueAt(queue: Queue, after: number): number | undefined {
      const later = tables.jobs.getRange({ start: [queue, after + 1], end: [queue, '\uffff'], limit: 1 });
      for (const { value } of later) return value.dueAt;
      return undefined;
    },

    countJobs(queue: Queue): number {
      return tables.jobs.getKeysCount({ start: [queue], end: [queue, '\uffff'] });
    },

    /** All balances in minor units; the account is empty for the platform. */
    *funds(): Generator<{ account: string; currency: string; amount: number }> {
      for (const { key, value } of tables.funds.getRange()) {
        yield { account: String(key[0]), currency: String(key[1]), amount: value };
      }
    },

    /** Forgets up to a thousand replies stored before a time, so that no request waits long; says how many. */
    async forgetReplies(before: number): Promise<number> {
      return root.transaction(() => {
        const old = Array.from(tables.replyAges.getRange({ end: [before], limit: 1000 }));
        for (const { key, value } of old) {
          tables.replies.removeSync(value);
          tables.replyAges.removeSync(key);
        }
        return old.length;
      });
    },

    settings: (): Settings => settings,
    webhookEndpoints: (): WebhookEndpoints => endpoints,

    async saveSettings(next: Settings): Promise<void> {
      await tables.settings.put('current', next);
      settings = next;
    },

    async saveWebhookEndpoint(which: keyof WebhookEndpoints, next: WebhookEndpoint | undefined): Promise<void> {
      if (next === undefined) await tables.endpoints.remove(ENDPOINT_KEYS[which]);
      else await tables.endpoints.put(ENDPOINT_KEYS[which], next);
      endpoints = { ...endpoints, [which]: next };
    },

    /** Empties everything but the webhook endpoints, which belong to the application and not to its data. */
    async reset(): Promise<void> {
      settings = DEFAULT_SETTINGS;
      await root.transaction(() => {
        for (const [name, table] of Object.entries(tables)) if (name !== 'endpoints') table.clearSync();
      });
    },

    async close(): Promise<void> {
      await root.close();
    },
  };
}

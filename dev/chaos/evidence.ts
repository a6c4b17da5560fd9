import { Client, Connection } from '@temporalio/client';
import type { Sql } from 'postgres';
import { request } from 'undici';
import { z } from 'zod';
import { openDatabases } from '../stack/own-platform';
import type { RunningPlatform } from '../stack/platform';
import { uncaughtIn } from '../stack/uncaught';
import { foldsDiffer, projectionsDiffer } from './projections';
import type { Evidence } from './reconciliation';

/** A mail in the catcher's inbox. */
export type CaughtMail = z.output<typeof mailSchema>;

export interface ChaosEvidence extends Evidence {
  mails(): Promise<CaughtMail[]>;
  /** The event bus, as who reads it sees it. */
  bus: Sql;
  /** Projections and rows that are not what their events give, in sentences. */
  projectionsDiffer(): Promise<string[]>;
  /** Errors that nobody caught, of which processes died by themselves. */
  uncaught(): string[];
  /** The sender of all mails. Message ids are made of it. */
  mailFrom: string;
  close(): Promise<void>;
}

// A catcher that is killed while it writes a mail has not said 250 yet, and shows the part that was written.
const mailSchema = z.object({
  subject: z.string().default(''),
  text: z.string().default(''),
  headers: z.object({ 'message-id': z.string().default('') }),
  to: z.array(z.object({ address: z.string() })).default([]),
});

/** Opens everything that a run is judged by. The platform has to be at rest. */
export async function openEvidence(platform: RunningPlatform): Promise<ChaosEvidence> {
  const { config, urls } = platform;
  const connection = await Connection.connect({ address: config.TEMPORAL_ADDRESS });
  const databases = openDatabases(platform);
  return {
    temporal: new Client({ connection, namespace: config.TEMPORAL_NAMESPACE }),
    mailFrom: config.MAIL_FROM,
    database: databases.database,
    bus: databases.bus,
    projectionsDiffer: async () => [...(await projectionsDiffer(platform)), ...(await foldsDiffer(platform))],
    sandbox: (method, path) => ask(`${urls.stripeSandbox}${path}`, method === 'GET' ? 'GET' : 'POST'),
    mails: () => caughtMails(urls.mailInbox ?? ''),
    uncaught: () => uncaughtIn(config.DATA_DIR),
    async close() {
      await databases.close();
      await connection.close();
    },
  };
}

/** What is in the inbox of a catcher, but for what was cut off. @throws Error while it is down */
export async function caughtMails(inbox: string): Promise<CaughtMail[]> {
  const all = z.array(mailSchema).parse((await ask(`${inbox}/email`, 'GET')).body);
  return all.filter(({ headers, to }) => headers['message-id'] !== '' && to.length > 0);
}

async function ask(url: string, method: 'GET' | 'POST' | 'DELETE'): Promise<{ body: unknown }> {
  const response = await request(url, { method });
  const text = await response.body.text();
  if (response.statusCode >= 400) throw new Error(`${url} answered ${response.statusCode}: ${text}`);
  return { body: text === '' ? undefined : JSON.parse(text) };
}

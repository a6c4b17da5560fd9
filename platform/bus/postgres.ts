import { type ListeningClient, openDatabase, openListening, sqlState } from '../../db/client';
import { type Changes, createChanges } from '../changes';
import type { Logger } from '../telemetry';
import {
  type BusAppender,
  type BusReader,
  type Cursor,
  enveloped,
  LEASE_SECONDS,
  LeaseOver,
  type Placed,
} from './transport';

// The event bus in Postgres. A process has one connection as the role that appends and one as the role that reads, however many services it
// runs; neither is opened before it is needed.

/** What `append_events` raises. */
const LEASE_OVER = 'BU001';

export interface Appending extends BusAppender {
  close(): Promise<void>;
}

export function openAppender(url: string, applicationName: string): Appending {
  const { sql, close } = openDatabase(url, { poolSize: 1, applicationName });
  const over = (topic: string) => new LeaseOver(`The lease of ${topic} is over`);
  return {
    async takeLease(topic, holder) {
      const [row] = await sql<
        { epoch: string | null }[]
      >`select take_lease(${topic}, ${holder}, ${LEASE_SECONDS}) as epoch`;
      return row?.epoch ? { topic, epoch: Number(row.epoch) } : undefined;
    },
    async keepLease({ topic, epoch }) {
      const [row] = await sql<{ kept: boolean }[]>`select keep_lease(${topic}, ${epoch}, ${LEASE_SECONDS}) as kept`;
      if (!row?.kept) throw over(topic);
    },
    async endLease({ topic, epoch }) {
      await sql`select end_lease(${topic}, ${epoch})`;
    },
    async append({ topic, epoch }, events, keyed) {
      const batch = events.map(({ id, subject, streamversion, type, data, time }) => ({
        ...{ event_id: id, stream_id: subject, version: streamversion, type, data, occurred_at: time },
      }));
      try {
        await sql`select append_events(${topic}, ${epoch}, ${LEASE_SECONDS}, ${keyed}, ${JSON.stringify(batch)}::text::jsonb)`;
      } catch (error) {
        if (sqlState(error) === LEASE_OVER) throw over(topic);
        throw error;
      }
    },
    close,
  };
}

/** What there is of a topic, for operators. */
export interface TopicState {
  topic: string;
  /** How many events were appended; of a keyed topic the newest of each stream are kept of them. */
  appended: number;
  /** When the last one was. */
  appendedAt: Date | null;
  /** Whose relay has the lease; null: it is free, or has run out. */
  holder: string | null;
}

export interface Reading extends BusReader {
  topics(): Promise<TopicState[]>;
  /** From now on nobody waits. */
  stopWaiting(): void;
  close(): Promise<void>;
}

interface MessageRow {
  offset: string;
  event_id: string;
  stream_id: string;
  version: number;
  type: string;
  data: Record<string, unknown> | null;
  occurred_at: Date;
}

/** `lookEveryMs` is for whoever waits for several things at once, as a request does. */
export function openReader(url: string, applicationName: string, logger: Logger): Reading {
  const client: ListeningClient = openListening(url, applicationName);
  const { sql } = client;
  const changes: Changes = createChanges({ sql: client }, logger);
  return {
    async read(topic, after, limit, upTo) {
      const rows = await sql<(MessageRow & { next_offset: string })[]>`
        select t.next_offset, m.* from topics t
        cross join lateral (
          select "offset", event_id, stream_id, version, type, data, occurred_at from messages
          where topic = t.name and "offset" > ${offsetOf(after)} and "offset" <= ${upTo ? offsetOf(upTo) : LAST_OFFSET} order by "offset" limit ${limit}
        ) m
        where t.name = ${topic} order by m."offset"`;
      const last = rows.at(-1);
      return {
        items: rows.map((row) => placed(topic, row)),
        behind: last ? Number(last.next_offset) - 1 - Number(last.offset) : 0,
      };
    },
    async tail(topic) {
      const [row] = await sql<{ last: string | null }[]>`
        select max("offset") as last from messages where topic = ${topic}`;
      return row?.last ? cursorOf(row.last) : null;
    },
    async before(topic, seconds) {
      const [row] = await sql<{ last: string | null }[]>`
        select max("offset") as last from messages
        where topic = ${topic} and appended_at < now() - make_interval(secs => ${seconds})`;
      return row?.last ? cursorOf(row.last) : null;
    },
    async at(topic, cursor) {
      const [row] = await sql<MessageRow[]>`
        select "offset", event_id, stream_id, version, type, data, occurred_at from messages
        where topic = ${topic} and "offset" = ${offsetOf(cursor)}`;
      return row && placed(topic, row).event;
    },
    async topics() {
      const rows = await sql<{ name: string; next_offset: string; holder: string | null; last: Date | null }[]>`
        select t.name, t.next_offset, case when t.leased_until > now() then t.holder end as holder,
               (select m.appended_at from messages m where m.topic = t.name order by m."offset" desc limit 1) as last
        from topics t order by t.name`;
      return rows.map((row) => ({
        ...{ topic: row.name, appended: Number(row.next_offset), appendedAt: row.last, holder: row.holder },
      }));
    },
    cursor: cursorFrom,
    ping: () => sql`select 1`,
    appended: (topic, ms) => changes.next(topic, ms),
    stopWaiting: () => changes.close(),
    close: () => client.close(),
  };
}

/** More than any topic will have. */
const LAST_OFFSET = Number.MAX_SAFE_INTEGER;

/** `pg` and the offset of the event it stands behind. */
const CURSOR = /^pg(\d+)$/;

function isCursor(text: string): text is Cursor {
  return CURSOR.test(text);
}

function cursorFrom(text: string): Cursor {
  if (!isCursor(text)) throw new RangeError(`Not a cursor of this bus: ${text}`);
  return text;
}

const cursorOf = (offset: string) => cursorFrom(`pg${offset}`);

function offsetOf(cursor: Cursor | null): number {
  if (cursor === null) return -1;
  return Number(CURSOR.exec(cursor)?.[1]);
}

function placed(topic: string, row: MessageRow): Placed {
  const { event_id: id, stream_id: streamId, occurred_at: occurredAt, version, type, data, offset } = row;
  const event = enveloped({ context: contextOf(topic), id, type, streamId, version, occurredAt, data });
  return { event, cursor: cursorOf(offset) };
}

/** The context whose topic it is: what stands before the point. */
const contextOf = (topic: string) => topic.slice(0, topic.indexOf('.'));

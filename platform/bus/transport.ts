import type { Change } from '../changes';

// The event bus as relays and consumers know it. `tests/support/bus-contract.ts` says what every transport promises, and Postgres keeps it.

/** What happened, in the envelope of CloudEvents 1.0.2 (JSON format). */
export interface BusEvent {
  specversion: '1.0';
  /** Of the event, wherever it is told: who knows it has seen it. */
  id: string;
  /** The context that tells it: `/identity`. */
  source: string;
  type: string;
  /** The stream it is of: the id of what changed. */
  subject: string;
  /** When it happened, by the clock of its context's database (RFC 3339). */
  time: string;
  datacontenttype: 'application/json';
  /** Its number in its stream, from 1. An extension attribute. */
  streamversion: number;
  /** What its schema says. Null: of this stream of a keyed topic there is nothing more to say. */
  data: Record<string, unknown> | null;
}

/** What is told of a stream, in its envelope. */
export function enveloped(told: {
  context: string;
  id: string;
  type: string;
  streamId: string;
  version: number;
  occurredAt: Date;
  data: Record<string, unknown> | null;
}): BusEvent {
  return {
    specversion: '1.0',
    id: told.id,
    source: `/${told.context}`,
    type: told.type,
    subject: told.streamId,
    time: told.occurredAt.toISOString(),
    datacontenttype: 'application/json',
    streamversion: told.version,
    data: told.data,
  };
}

declare const opaque: unique symbol;
/** A place in a topic, behind an event. Only the transport knows what is in it; it is kept and given back as it is. */
export type Cursor = string & { [opaque]: 'cursor' };

/** An event where it stands in its topic. */
export interface Placed {
  event: BusEvent;
  cursor: Cursor;
}

export interface Batch {
  items: readonly Placed[];
  /** How many events of the topic are behind these. */
  behind: number;
}

export interface BusReader {
  /** The next events behind a cursor, or from the first on, in the order in which they were appended; none behind `upTo`. */
  read(topic: string, after: Cursor | null, limit: number, upTo?: Cursor): Promise<Batch>;
  /** Behind the last event there is; null while there is none. */
  tail(topic: string): Promise<Cursor | null>;
  /** Behind the last event that was appended more than so many seconds ago; null when there is none. */
  before(topic: string, seconds: number): Promise<Cursor | null>;
  /** The event right before a cursor; undefined when a newer one of its stream has replaced it. */
  at(topic: string, cursor: Cursor): Promise<BusEvent | undefined>;
  /** What is written in a table, or came by another way, as a cursor. @throws RangeError when it is none of this transport */
  cursor(text: string): Cursor;
  /** Rejects while the bus does not answer. */
  ping(): Promise<unknown>;
  /** Waits until something is appended to the topic, for `ms` at most. Ask for it before you read, so that nothing comes between. */
  appended(topic: string, ms: number): Change;
}

/** The right to append to a topic, which one relay has at a time. */
export interface Lease {
  topic: string;
  epoch: number;
}

/** The lease is over: somebody else may have it. Nothing was appended. */
export class LeaseOver extends Error {
  override readonly name = 'LeaseOver';
}

export interface BusAppender {
  /** Undefined while another has it. `holder` is for people to read. */
  takeLease(topic: string, holder: string): Promise<Lease | undefined>;
  /** @throws LeaseOver */
  keepLease(lease: Lease): Promise<void>;
  /** Lets others take it at once. Harmless when it is over. */
  endLease(lease: Lease): Promise<void>;
  /**
   * Appends all of them in their order and keeps the lease. Those that are there already are left out: by their id; of a keyed topic also by a
   * version that is not newer, and it drops the older one. @throws LeaseOver
   */
  append(lease: Lease, events: readonly BusEvent[], keyed: boolean): Promise<void>;
}

/** Of a relay that dies, the next one takes over after so many seconds at most. */
export const LEASE_SECONDS = 5;

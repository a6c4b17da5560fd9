import type { Transaction } from '../../db/client';
import type { Config } from '../config';
import type { BusEvent } from './transport';

/**
 * What a consumer does of an event, in the transaction that moves its cursor: it happens once. Events of one stream come one after the other; those
 * of others may be applied in between, so a row that several streams change is changed in one statement.
 */
export type Apply = (tx: Transaction, event: BusEvent) => Promise<void>;

interface Reader {
  /** Names it in its context's database: another name begins anew. */
  name: string;
  topic: string;
  /** The types that it does something of; left out: all. Of the others nothing is noted. */
  types?: readonly string[];
}

/**
 * Keeps rows that say what the events said. It begins with the first event there is, and can be rebuilt from it at any time: every value of its
 * rows comes from events, times and ids included.
 */
export interface Projection extends Reader {
  kind: 'projection';
  /** All that it writes, and nobody else does. */
  tables: readonly string[];
  apply: Apply;
}

/** Acts on what is new. It begins behind the last event there is and is never rebuilt. */
export interface Reactor extends Reader {
  kind: 'reactor';
  /** An event that happened longer ago is left out and counted: what it would do is of no use any more. */
  actsWithinSeconds: number;
  /** As a projection's, with the settings of its service: what it writes may be sealed under a secret. */
  apply(tx: Transaction, event: BusEvent, config: Config): Promise<void>;
}

export type Consumer = Projection | Reactor;

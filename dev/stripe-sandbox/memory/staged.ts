import type { Database } from 'lmdb';

type KeyPart = string | number;
export type Key = string | KeyPart[];

/**
 * One LMDB database seen through the uncommitted changes of a unit of work. LMDB keeps the writes a failed callback had
 * already made, so nothing is written before the whole work has succeeded.
 */
export class Staged<V> {
  private readonly changes = new Map<string, { key: Key; value: V | undefined }>();

  constructor(private readonly database: Database<V, Key>) {}

  get(key: Key): V | undefined {
    const change = this.changes.get(JSON.stringify(key));
    return change === undefined ? this.database.get(key) : change.value;
  }

  put(key: Key, value: V): void {
    this.changes.set(JSON.stringify(key), { key, value });
  }

  remove(key: Key): void {
    this.changes.set(JSON.stringify(key), { key, value: undefined });
  }

  discard(): void {
    this.changes.clear();
  }

  /** Writes the changes; only inside an LMDB transaction. */
  flush(): void {
    for (const { key, value } of this.changes.values()) {
      if (value === undefined) this.database.removeSync(key);
      else this.database.putSync(key, value);
    }
  }

  /** Values under a key prefix, newest first. The part after the prefix must grow with time, as sequence numbers do. */
  *newestFirst(prefix: KeyPart[], before?: number): Generator<V> {
    yield* this.stagedUnder(prefix, (part) => before === undefined || part < before).reverse();
    const start = before === undefined ? [...prefix, '\uffff'] : [...prefix, before];
    yield* this.committed({ start, exclusiveStart: true, end: prefix, reverse: true });
  }

  /** Values under a key prefix, oldest first. */
  *oldestFirst(prefix: KeyPart[], after?: number): Generator<V> {
    const start = after === undefined ? prefix : [...prefix, after];
    yield* this.committed({ start, exclusiveStart: true, end: [...prefix, '\uffff'] });
    yield* this.stagedUnder(prefix, (part) => after === undefined || part > after);
  }

  /** Keys under a prefix, in no particular order. */
  *keysUnder(prefix: KeyPart[]): Generator<Key> {
    for (const key of this.database.getKeys({ start: prefix, end: [...prefix, '\uffff'] })) {
      if (!this.changes.has(JSON.stringify(key))) yield key;
    }
    for (const { key, value } of this.changes.values()) {
      if (value !== undefined && prefix.every((expected, index) => key[index] === expected)) yield key;
    }
  }

  private *committed(range: Parameters<Database<V, Key>['getRange']>[0]): Generator<V> {
    for (const { key, value } of this.database.getRange(range)) {
      if (!this.changes.has(JSON.stringify(key))) yield value;
    }
  }

  private stagedUnder(prefix: KeyPart[], wanted: (part: number) => boolean): V[] {
    const found: Array<{ part: number; value: V }> = [];
    for (const { key, value } of this.changes.values()) {
      if (value === undefined || typeof key === 'string') continue;
      const part = key[prefix.length];
      if (typeof part !== 'number' || !prefix.every((expected, index) => key[index] === expected)) continue;
      if (wanted(part)) found.push({ part, value });
    }
    return found.sort((a, b) => a.part - b.part).map(({ value }) => value);
  }
}

import type { Placed } from './transport';

/** So many streams are seen to beside each other: their statements follow each other without waiting for answers. */
const STREAMS = 50;

/**
 * Does `work` of each item, of those of one stream one after the other; that of other streams goes on beside it, as no order is promised between
 * streams. It ends when all have ended: what they work with may be closed then. @throws the first error
 */
export async function inStreamOrder(items: readonly Placed[], work: (item: Placed) => Promise<void>): Promise<void> {
  const streams = new Map<string, Placed[]>();
  for (const item of items) {
    const stream = streams.get(item.event.subject);
    if (stream) stream.push(item);
    else streams.set(item.event.subject, [item]);
  }
  const waiting = [...streams.values()];
  const errors: unknown[] = [];
  async function next(): Promise<void> {
    for (let stream = waiting.shift(); stream && errors.length === 0; stream = waiting.shift()) {
      try {
        for (const item of stream) await work(item);
      } catch (error) {
        errors.push(error);
      }
    }
  }
  await Promise.all(Array.from({ length: STREAMS }, next));
  if (errors.length > 0) throw errors[0];
}

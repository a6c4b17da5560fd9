import { type SignalDefinition, setHandler } from '@temporalio/workflow';

/**
 * The highest version that a signal has told of so far, 0 before the first. Signals come twice, late and out of order: an
 * older one says nothing.
 */
export function highestVersion<News extends { version: number }>(signal: SignalDefinition<[News]>): () => number {
  let highest = 0;
  setHandler(signal, ({ version }) => {
    highest = Math.max(highest, version);
  });
  return () => highest;
}

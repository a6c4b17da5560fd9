import { type SignalDefinition, setHandler } from '@temporalio/workflow';

/**
 * The highest version that a signal has told of so far, `heard` before the first. Signals come twice, late and out of order: an older one
 * says nothing. Nor does one that carries no version: nobody would be told that it was refused.
 */
export function highestVersion<News extends { version: number }>(
  signal: SignalDefinition<[News]>,
  heard = 0,
): () => number {
  let highest = heard;
  setHandler(signal, (news) => {
    const version = versionOf(news);
    if (version !== undefined) highest = Math.max(highest, version);
  });
  return () => highest;
}

/** Anybody can send a signal from the Web UI, with anything in it. */
function versionOf(news: unknown): number | undefined {
  if (typeof news !== 'object' || news === null || !('version' in news)) return undefined;
  const { version } = news;
  return typeof version === 'number' && Number.isSafeInteger(version) ? version : undefined;
}

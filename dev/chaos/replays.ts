import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { compiledPath } from '../machine/paths';
import type { HistoryEvent } from './histories';

export interface Replayed {
  workflowId: string;
  events: HistoryEvent[];
}

let isQuiet = false;

/**
 * Replays histories by the workflow code of the build, as a worker does that takes a saga over: one that does not replay is stuck from the
 * moment its worker forgets it, whatever it shows until then. @returns a sentence for each that does not
 */
export async function replayTroubles(histories: readonly Replayed[]): Promise<string[]> {
  // What is wrong with a history is in the sentences.
  if (!isQuiet) Runtime.install({ logger: new DefaultLogger('ERROR', () => undefined) });
  isQuiet = true;
  const workflowBundle = { codePath: compiledPath('workflow-bundle.js') };
  const troubles: string[] = [];
  const all = histories.map(({ workflowId, events }) => ({ workflowId, history: { events } }));
  for await (const { workflowId, error } of Worker.runReplayHistories({ workflowBundle }, all))
    if (error) troubles.push(`${workflowId} does not replay: ${error.message}`);
  return troubles;
}

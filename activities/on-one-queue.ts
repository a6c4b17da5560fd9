import { activityInfo, heartbeat } from '@temporalio/activity';
import { SECOND } from '../kernel/time';
import { mapErrors } from './failures';

type Activity = (input: never) => Promise<unknown>;
export type Activities = Record<string, Activity>;

/**
 * What a task queue's worker registers: each activity sends heartbeats while it runs, and fails in a form that may stand in a history.
 * @throws Error when two of them have one name: Temporal calls activities by their name alone
 */
export function onOneQueue(...groups: Activities[]): Activities {
  const names = groups.flatMap(Object.keys);
  const twice = names.filter((name, index) => names.indexOf(name) !== index);
  if (twice.length > 0) throw new Error(`One task queue has two activities of the name ${twice.join(', ')}`);
  return withMappedErrors(Object.fromEntries(groups.flatMap(Object.entries)));
}

const HEARTBEAT_EVERY_MS = 2 * SECOND;

/** Tells the server that the worker lives for as long as `work` runs. Local activities have no heartbeat and need none. */
async function whileBeating<T>(work: () => Promise<T>): Promise<T> {
  if (activityInfo().isLocal) return work();
  const beat = setInterval(() => heartbeat(), HEARTBEAT_EVERY_MS);
  try {
    return await work();
  } finally {
    clearInterval(beat);
  }
}

function withMappedErrors(activities: Activities): Activities {
  return Object.fromEntries(
    Object.entries(activities).map(([name, activity]) => [
      name,
      (input: never) => whileBeating(() => mapErrors(activityInfo(), () => activity(input))),
    ]),
  );
}

import { isCancellation, patched } from '@temporalio/workflow';
import { isRefusal } from './failures';

/** Sagas that were begun before gave a step up when its local attempts were used up. */
const GOES_ON_RECORDED = 'local-step-goes-on-recorded';

/** Sagas that were begun before ran local steps beside each other. */
const ONE_AT_A_TIME = 'one-local-step-at-a-time';

/** How many local steps of this saga are under way, with the pauses between their attempts. The module is each saga's own. */
let underWay = 0;

/**
 * Whether a step may run as a local one: one at a time. The SDK records local steps as they end and replays them as they begin: two
 * beside each other, of which one fails, are a history that no worker can take over (TMPRL1100).
 */
export function mayRunLocally(): boolean {
  return underWay === 0 || !patched(ONE_AT_A_TIME);
}

/** Runs a local step, beside which no other may begin. */
export async function alone<T>(step: () => Promise<T>): Promise<T> {
  underWay += 1;
  try {
    return await step();
  } finally {
    underWay -= 1;
  }
}

/**
 * One step in two ways: as a local activity, and once that has failed for half a minute as a recorded one, which leaves the saga able to
 * hear. While another one runs it is recorded at once. A refusal is final in either.
 */
export function localFirst<Input, Output>(
  local: (input: Input) => Promise<Output>,
  recorded: (input: Input) => Promise<Output>,
): (input: Input) => Promise<Output> {
  return async (input) => {
    if (!mayRunLocally()) return recorded(input);
    try {
      return await alone(() => local(input));
    } catch (error) {
      if (isRefusal(error) || isCancellation(error) || !patched(GOES_ON_RECORDED)) throw error;
      return recorded(input);
    }
  };
}

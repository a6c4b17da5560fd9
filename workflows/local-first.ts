import { isCancellation, patched } from '@temporalio/workflow';
import { isRefusal } from './failures';

/** Sagas that were begun before gave a step up when its local attempts were used up. */
const GOES_ON_RECORDED = 'local-step-goes-on-recorded';

/**
 * One step in two ways: as a local activity, and once that has failed for half a minute as a recorded one, which leaves the saga able to
 * hear. A refusal is final in either.
 */
export function localFirst<Input, Output>(
  local: (input: Input) => Promise<Output>,
  recorded: (input: Input) => Promise<Output>,
): (input: Input) => Promise<Output> {
  return async (input) => {
    try {
      return await local(input);
    } catch (error) {
      if (isRefusal(error) || isCancellation(error) || !patched(GOES_ON_RECORDED)) throw error;
      return recorded(input);
    }
  };
}

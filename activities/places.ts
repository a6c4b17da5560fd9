import { activityInfo } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { SECOND } from '../kernel/time';
import type { ServiceClient } from '../platform/http-client';

/**
 * How many activities of one kind of saga may wait for a vendor at once. A worker runs a hundred activities (the SDK's own limit), so
 * that three kinds, all of whose calls hang, leave a quarter of them for everything else.
 */
export const PLACES = 25;

/** Until whoever found no place asks again: soon after a burst, and not too often while all calls hang. */
const FIRST_PAUSE_MS = SECOND / 2;
const LONGEST_PAUSE_MS = 20 * SECOND;

/**
 * `http` with `places` for calls of operations that may wait for a vendor, as their contract says (`reaches`). A call that finds none
 * free ends its attempt at once, so that the activity waits at the server and holds no slot of the worker. What waits for no vendor needs
 * none. To be called by activities alone.
 * @throws ApplicationFailure of type upstream_unavailable from `call`, with `nextRetryDelay`, when all places are taken; nothing was sent then
 */
export function withPlaces(http: ServiceClient, places: number): ServiceClient {
  let taken = 0;
  return {
    async call(operation, parts) {
      if (!operation.reaches?.length) return http.call(operation, parts);
      if (taken >= places) {
        throw ApplicationFailure.create({
          type: 'upstream_unavailable',
          message: 'As many calls wait for it as may',
          nextRetryDelay: pauseAfter(activityInfo().attempt),
        });
      }
      taken += 1;
      try {
        return await http.call(operation, parts);
      } finally {
        taken -= 1;
      }
    },
    close: () => http.close(),
  };
}

/** Milliseconds, twice as many after each attempt, less a part that is drawn: those that came together do not come back together. */
function pauseAfter(attempt: number): number {
  const most = Math.min(FIRST_PAUSE_MS * 2 ** (attempt - 1), LONGEST_PAUSE_MS);
  return Math.round(most * (0.5 + Math.random() / 2));
}

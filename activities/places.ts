import { ProblemError } from '../kernel/errors';
import type { ServiceClient } from '../platform/http-client';

/**
 * How many activities of one kind of saga may wait for a vendor at once. A worker runs a hundred activities (the SDK's own limit), so
 * that three kinds, all of whose calls hang, leave a quarter of them for everything else.
 */
export const PLACES = 25;

/** Seconds until whoever found no place is asked for again, drawn anew each time: those that came together do not come back together. */
const AGAIN_AFTER = { least: 2, most: 10 };

/**
 * `http` with `places` for calls of operations that may wait for a vendor, as their contract says (`reaches`). A call that finds none
 * free is refused at once, and does not hold the activity's slot of the worker while it waits. What waits for no vendor needs none.
 * @throws ProblemError from `call`: upstream_unavailable with a Retry-After when all places are taken; nothing was sent then
 */
export function withPlaces(http: ServiceClient, places: number): ServiceClient {
  let taken = 0;
  return {
    async call(operation, parts) {
      if (!operation.reaches?.length) return http.call(operation, parts);
      if (taken >= places) {
        const { least, most } = AGAIN_AFTER;
        const retryAfterSeconds = least + Math.floor(Math.random() * (most - least + 1));
        throw new ProblemError('upstream_unavailable', 'As many calls as may wait for it are waiting already', {
          retryAfterSeconds,
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

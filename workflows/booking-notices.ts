import { patched, proxyActivities, proxyLocalActivities } from '@temporalio/workflow';
import type { BookingActivities } from '../activities/booking';
import type { Notice, NoticeFacts } from '../activities/booking-notices';
import { LOCAL_ONCE, UNTIL_DONE_DAYLONG } from './activity-options';
import { localFirst } from './local-first';
import { beyondCancel } from './saga';

type Mail = Pick<BookingActivities, 'notifyBooking'>;
/** Stores the notice, which notification then delivers. */
const notifyBooking = localFirst(
  proxyLocalActivities<Mail>(LOCAL_ONCE).notifyBooking,
  proxyActivities<Mail>(UNTIL_DONE_DAYLONG).notifyBooking,
);

/**
 * Whether a saga has one local step under way at most: notices one after another, and nothing else local once the first is sent. The SDK
 * gives the results of local activities to a replay as they begin, not as they end, and before an update that came meanwhile: where one of
 * two fails, what follows changes places and no worker can take the saga over (TMPRL1100). Sagas that were begun before have several.
 */
export const isOneAtATime = () => patched('one-local-step-at-a-time');

/**
 * What a notice says beyond the booking itself; `startsAt` is the start that it speaks of, `number` that of the command it tells of: a
 * session may be moved to one time twice.
 */
export interface About extends NoticeFacts {
  startsAt: string;
  number?: number;
}

export interface Notices {
  /** Tells whom it concerns, after the notices before and beside whatever the saga does next. */
  send(notice: Notice, about: About): void;
  /** When all notices are stored or were given up: a workflow that ended before would drop them. */
  settled(): Promise<unknown>;
  /** Whether none is still to be stored. */
  isIdle(): boolean;
}

/** The notices of one booking, each once per business key. */
export function createNotices(bookingId: string): Notices {
  const underWay = new Set<Promise<void>>();
  let last: Promise<void> | undefined;
  return {
    send(notice, { startsAt, number, ...about }) {
      const { hoursBefore, previousStart } = about;
      const key = [
        `booking:${bookingId}`,
        notice,
        ...(hoursBefore ? [hoursBefore, startsAt] : []),
        ...(previousStart ? [startsAt] : []),
        ...(number === undefined ? [] : [number]),
      ];
      // Its failure never undoes a booking: what cannot be stored for a day is given up. Nor does a cancel stop it: half a notice would
      // be one of two people told.
      const telling = () => notifyBooking({ bookingId, notice, key: key.join('/'), ...about });
      const before = last && isOneAtATime() ? last : undefined;
      const told = beyondCancel(() => (before ? before.then(telling) : telling())).catch(() => undefined);
      last = told;
      underWay.add(told);
      void told.then(() => underWay.delete(told));
    },
    settled: () => Promise.all(underWay),
    isIdle: () => underWay.size === 0,
  };
}

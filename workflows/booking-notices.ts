import { proxyLocalActivities } from '@temporalio/workflow';
import type { BookingActivities } from '../activities/booking';
import type { Notice, NoticeFacts } from '../activities/booking-notices';
import { NOTICE } from './activity-options';
import { beyondCancel } from './saga';

const mail = proxyLocalActivities<Pick<BookingActivities, 'notifyBooking'>>(NOTICE);

/** What a notice says beyond the booking itself; `startsAt` is the start that it speaks of. */
interface About extends NoticeFacts {
  startsAt: string;
}

export interface Notices {
  /** Tells whom it concerns, beside whatever the saga does next. */
  send(notice: Notice, about: About): void;
  /** When all that was sent has gone or was given up: a workflow that ended before would drop it. */
  settled(): Promise<unknown>;
}

/** The notices of one booking, each once per business key. */
export function createNotices(bookingId: string): Notices {
  const underWay: Promise<void>[] = [];
  return {
    send(notice, { startsAt, ...about }) {
      const { hoursBefore, previousStart } = about;
      const key = [
        `booking:${bookingId}`,
        notice,
        ...(hoursBefore ? [hoursBefore, startsAt] : []),
        ...(previousStart ? [startsAt] : []),
      ];
      // Its failure never undoes a booking: after a day the mail is given up and the delivery log says so.
      const telling = () => mail.notifyBooking({ bookingId, notice, key: key.join('/'), ...about });
      // Nor does a cancel stop it: half a notice would be one of two people told, or a mail that nobody noted as sent.
      underWay.push(beyondCancel(telling).catch(() => undefined));
    },
    settled: () => Promise.all(underWay),
  };
}

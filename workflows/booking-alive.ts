import type { BookingActivities } from '../activities/booking';
import type { Notice } from '../activities/booking-notices';
import type { PaymentActivities } from '../activities/payment';
import { EARNINGS_REST_MS } from '../kernel/session';
import type { BookingInput } from './booking.api';
import type { CommandQueue } from './booking-commands';
import type { About, Notices } from './booking-notices';
import type { Saga } from './saga';

/** The parts of a running booking that its confirmed life needs. */
export interface LiveBooking {
  input: BookingInput;
  /** `startsAt`: start of the session, ISO 8601; a move changes it. */
  facts: { startsAt: string };
  saga: Saga<BookingActivities & PaymentActivities>;
  commands: CommandQueue;
  notices: Notices;
  paymentVersion(): number;
}

/** Who meets when, for operators. */
export function sessionOf({
  input: { durationMinutes, studentId, tutorId },
  facts: { startsAt },
}: LiveBooking): string {
  return `Session ${startsAt}, ${durationMinutes} min, tutor ${tutorId}, student ${studentId}`;
}

/** Tells people what has become of the session, beside whatever comes next. */
export function notify({ notices, facts }: LiveBooking, notice: Notice, about: Omit<About, 'startsAt'> = {}): void {
  notices.send(notice, { startsAt: facts.startsAt, ...about });
}

/** Has payment note from when on the tutor may be paid for a session that was over at `overAt`, in milliseconds. */
export function releaseEarnings({ saga }: LiveBooking, paymentId: string, overAt: number): Promise<unknown> {
  const notBefore = new Date(overAt + EARNINGS_REST_MS).toISOString();
  return saga.forward('release-earnings', (act, key) => act.releaseEarnings({ paymentId, notBefore, key }), {
    money: true,
  });
}

/** The session is at `scheduledAt` now, and nothing takes it back: whatever goes by its start follows. */
export function haveMoved(live: LiveBooking, { scheduledAt, number }: { scheduledAt: string; number: number }): void {
  const { facts, saga, commands } = live;
  const previousStart = facts.startsAt;
  saga.pivot();
  facts.startsAt = scheduledAt;
  commands.moved();
  saga.tell('Confirmed', `${sessionOf(live)} (moved from ${previousStart}). Waits for its reminders and its end.`);
  notify(live, 'rescheduled', { previousStart, number });
}

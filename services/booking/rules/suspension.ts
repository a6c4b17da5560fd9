import type { BookingStatus, StatusReason } from '../../../kernel/statuses';
import { DAY } from '../../../kernel/time';

/** A tutor who is kept out does not hold what starts so soon, and its student has to know. */
const TOO_SOON_MS = DAY;

/** What a rule needs of a booking. */
export interface OpenBooking {
  tutorId: string;
  status: BookingStatus;
  statusReason: StatusReason | null;
  startsAt: Date;
}

/**
 * What becomes of a booking of a person who is kept out: it is declined or cancelled at once, an operator is asked, or nothing (null), because it is over
 * or under way. Only the tutor is missed by somebody who pays.
 */
export function fateOf(booking: OpenBooking, personId: string, now: Date): 'decline' | 'cancel' | 'ask' | null {
  const { tutorId, status, statusReason, startsAt } = booking;
  const ahead = startsAt.getTime() - now.getTime();
  if ((status !== 'pending' && status !== 'confirmed') || ahead <= 0) return null;
  if (tutorId !== personId) return 'ask';
  if (status === 'pending') return statusReason === 'awaiting_tutor' ? 'decline' : 'cancel';
  return ahead <= TOO_SOON_MS ? 'cancel' : 'ask';
}

import { ProblemError } from '../../../kernel/errors';
import type { Party } from '../../../kernel/session';
import { endOf } from '../../../kernel/time';
import type { BookingOrRequested } from '../contract';
import { isLive } from './life';
import { slotRefusal } from './session';
import { FULL_UNTIL_MS } from './terms';

/** Undefined for a stranger, to whom the booking does not exist. An administrator who is no party of it is an operator. */
export function partyOf(
  booking: { studentId: string; tutorId: string },
  user: { id: string; role: string },
): Party | undefined {
  if (booking.studentId === user.id) return 'student';
  if (booking.tutorId === user.id) return 'tutor';
  return user.role === 'admin' ? 'operator' : undefined;
}

/** What a person asks of a booking. */
export type Command =
  | { kind: 'confirm' | 'decline' | 'cancel' | 'complete' }
  | { kind: 'change'; scheduledAt?: string | undefined; meetingUrl?: string | null | undefined };

type Life = Pick<BookingOrRequested, 'status' | 'statusReason' | 'scheduledAt' | 'durationMinutes' | 'price'>;

/**
 * What certainly speaks against a command, before any saga is asked; the saga checks again when the command's turn comes.
 * `forbidden` when the party may never ask this, `invalid_state` when the booking is not in the state for it.
 */
export function commandRefusal(command: Command, party: Party, booking: Life, now: Date): ProblemError | undefined {
  switch (command.kind) {
    case 'cancel':
      return isLive(booking.status) ? undefined : invalid(`A booking that is ${booking.status} cannot be cancelled`);
    case 'confirm':
    case 'decline':
      if (party !== 'tutor') return new ProblemError('forbidden');
      return booking.status === 'pending' && booking.statusReason === 'awaiting_tutor'
        ? undefined
        : invalid('The booking does not wait for the tutor');
    case 'complete':
      if (party !== 'tutor') return new ProblemError('forbidden');
      if (booking.status !== 'confirmed') return invalid(`A booking that is ${booking.status} cannot be completed`);
      return now.getTime() < Date.parse(endOf(booking.scheduledAt, booking.durationMinutes))
        ? invalid('The session has not ended yet')
        : undefined;
    case 'change':
      return changeRefusal(command, party, booking, now);
  }
}

function changeRefusal(
  command: Command & { kind: 'change' },
  party: Party,
  booking: Life,
  now: Date,
): ProblemError | undefined {
  if (party === 'operator') return new ProblemError('forbidden');
  if (command.meetingUrl !== undefined) {
    if (party !== 'tutor') return new ProblemError('forbidden', 'Only the tutor sets the meeting link');
    if (booking.price === null) return invalid('The booking is still to be made');
    if (!isLive(booking.status)) return invalid(`A booking that is ${booking.status} takes no meeting link`);
  }
  return command.scheduledAt === undefined ? undefined : moveRefusal(command.scheduledAt, party, booking, now);
}

function moveRefusal(scheduledAt: string, party: Party, booking: Life, now: Date): ProblemError | undefined {
  if (booking.status !== 'confirmed') return invalid('Only a confirmed booking can be moved');
  const ahead = Date.parse(booking.scheduledAt) - now.getTime();
  if (ahead <= 0) return invalid('The session has started');
  if (party === 'student' && ahead < FULL_UNTIL_MS) {
    return invalid('A student can move a session until 24 hours before its start');
  }
  return slotRefusal(scheduledAt, now);
}

/**
 * Whether the booking already is what `party` asks for by `command`. Of two who end a booking at once one was first: the other's reason
 * and terms do not hold.
 */
export function isFulfilled(command: Command, party: Party, booking: Life): boolean {
  switch (command.kind) {
    case 'cancel':
      return booking.statusReason === `cancelled_by_${party}`;
    case 'decline':
      return booking.statusReason === 'declined';
    case 'confirm':
      return booking.status === 'confirmed' || booking.status === 'completed';
    case 'complete':
      return booking.status === 'completed';
    case 'change':
      return command.scheduledAt === undefined || command.scheduledAt === booking.scheduledAt;
  }
}

function invalid(detail: string): ProblemError {
  return new ProblemError('invalid_state', detail);
}

import { ProblemError } from '../../../kernel/errors';
import type { Party } from '../../../kernel/session';
import { endOf, HOUR } from '../../../kernel/time';
import type { BookingOrRequested } from '../contract';
import { isLive } from './life';
import { slotRefusal } from './session';
import { FREE_UNTIL_MS } from './terms';

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

/** What a booking must be like for a move of it. */
type Movable = Pick<Life, 'status' | 'scheduledAt'>;

/** A tutor leaves a student at least this long to learn of a new start. */
const NEAREST_BY_TUTOR_MS = 2 * HOUR;

/** What speaks against moving a session to `scheduledAt`, but for other sessions at that time. `now`: when the request arrived. */
export function moveRefusal(scheduledAt: string, by: Party, booking: Movable, now: Date): ProblemError | undefined {
  if (booking.status !== 'confirmed') return invalid('Only a confirmed booking can be moved');
  const ahead = Date.parse(booking.scheduledAt) - now.getTime();
  if (ahead <= 0) return invalid('The session has started');
  if (by === 'student' && ahead < FREE_UNTIL_MS)
    return invalid('A student can move a session until 24 hours before its start');
  const outside = slotRefusal(scheduledAt, now);
  if (outside) return outside;
  return by === 'tutor' && Date.parse(scheduledAt) - now.getTime() < NEAREST_BY_TUTOR_MS
    ? invalid('A tutor can move a session to a start that is at least two hours away')
    : undefined;
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

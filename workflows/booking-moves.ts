import { patched, proxyActivities } from '@temporalio/workflow';
import type { BookingActivities } from '../activities/booking';
import type { ErrorCode } from '../kernel/errors';
import { SECOND } from '../kernel/time';
import { MOVE } from './activity-options';
import { haveMoved, type LiveBooking } from './booking-alive';
import { moveAsBefore } from './booking-as-before';
import { type QueuedCommand, RESERVES_FIRST } from './booking-commands';
import { codeOf, isRefusal, orRefusal } from './failures';
import { withPatience } from './saga';

/**
 * What happens when a confirmed session is moved, in order; the fault tests are made from this table. `undo`: what takes the step back
 * when a later one is refused.
 */
export const MOVE_STEPS = {
  admit: { does: 'admitMove', undo: null, runs: 'recorded' },
  'reserve-slot': { does: 'reserveSlot', undo: 'unreserveSlot', runs: 'recorded' },
  // the pivot of the move: pursued until it is answered
  booking: { does: 'rescheduleBooking', undo: null, runs: 'recorded' },
  'keep-slot': { does: 'keepSlot', undo: null, runs: 'recorded' },
} as const;

const move = proxyActivities<BookingActivities>(MOVE);

/**
 * A move that takes longer goes on beside what the booking is asked next. Its steps are recorded: a timer that is started and cancelled
 * while local ones end, and a notice hangs as another, is a history that the SDK does not replay.
 */
const MOVE_PATIENCE_MS = 8 * SECOND;
/** Whoever asks for something next waits behind the undo of a move no longer than this. */
const UNDO_PATIENCE_MS = 2 * SECOND;

/** Names of the steps of moves begin so. */
const PREFIX = 'reschedule-';

/**
 * Moves a confirmed session: the new time is reserved, the booking switched, and only then the old time given away. Whatever is refused
 * or fails on the way, the student has a session, and nobody else has its time.
 */
export async function moveSession(live: LiveBooking, command: QueuedCommand & { kind: 'reschedule' }): Promise<void> {
  const { input, facts, saga } = live;
  const { bookingId } = input;
  // The session of a move that is under way is still where nobody knows.
  if (!saga.isIdle()) return command.refuse('upstream_unavailable');
  if (!patched(RESERVES_FIRST)) return moveAsBefore(live, command);
  const { by, scheduledAt, requestedAt } = command;
  if (scheduledAt === facts.startsAt) return command.accept();
  const change = `${PREFIX}${command.number}`;
  try {
    await move.admitMove({ bookingId, scheduledAt, by, requestedAt });
    await saga.step(`${change}/reserve-slot`, {
      do: (key) => move.reserveSlot({ bookingId, start: scheduledAt, key }),
      undo: (act, key) => act.unreserveSlot({ bookingId, key }),
    });
  } catch (error) {
    return giveUp(isRefusal(error) ? codeOf(error) : 'upstream_unavailable');
  }
  let isMoved = false;
  await withPatience(switchAndKeep(), MOVE_PATIENCE_MS);
  if (isMoved) command.accept();

  async function giveUp(code: ErrorCode): Promise<void> {
    await saga.undo(UNDO_PATIENCE_MS);
    command.refuse(code);
  }

  /** An attempt that was not answered may have moved the booking: so it is asked until it says what it is. */
  async function switchAndKeep(): Promise<void> {
    const answer = await saga.forward(`${change}/booking`, (act, key) =>
      orRefusal(act.rescheduleBooking({ bookingId, scheduledAt, by, key }).then(() => 'moved' as const)),
    );
    if (answer !== 'moved') return giveUp(answer ?? 'upstream_unavailable');
    isMoved = true;
    haveMoved(live, command);
    await saga.forward(`${change}/keep-slot`, (act, key) => act.keepSlot({ bookingId, start: scheduledAt, key }));
    command.accept();
  }
}

/** Whatever becomes of the session now, where a move that is under way would have put it no longer matters. */
export function forgetMoves({ saga }: LiveBooking): void {
  saga.drop((name) => name.startsWith(PREFIX) || name.startsWith(`undo ${PREFIX}`));
}

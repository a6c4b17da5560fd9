import { allHandlersFinished, continueAsNew, patched, workflowInfo } from '@temporalio/workflow';
import type { Money } from '../kernel/money';
import { undoKeyOf } from '../kernel/step-key';
import { DAY, endOf, HOUR, SECOND } from '../kernel/time';
import type { BookingInput, BookingResult } from './booking.api';
import { type LiveBooking, notify, releaseEarnings, sessionOf } from './booking-alive';
import { settleAsBefore } from './booking-as-before';
import type { CommandsSoFar, QueuedCommand } from './booking-commands';
import { forgetMoves, moveSession } from './booking-moves';
import { refundAsChild } from './refund';
import { refundWorkflowId } from './refund.api';
import { withPatience } from './saga';

/**
 * What happens when a confirmed booking ends, in order; nothing of it is undone. The fault tests are made from this table.
 */
export const ENDING_STEPS = {
  cancel: {
    cancel: { does: 'cancelConfirmed', runs: 'recorded' },
    'release-slot': { does: 'releaseSlot', runs: 'recorded' },
    refund: { does: 'refundShare', runs: 'recorded' },
    'release-earnings': { does: 'releaseEarnings', runs: 'recorded' },
  },
  complete: {
    complete: { does: 'completeBooking', runs: 'recorded' },
    'release-earnings': { does: 'releaseEarnings', runs: 'recorded' },
  },
} as const;

const REMIND_HOURS_BEFORE = [24, 1];
/** A session that nobody reported completes two days after its end. */
const COMPLETES_BY_ITSELF_MS = 2 * DAY;
/**
 * A cancel is answered without the money and the slot when they take longer: that it is cancelled is certain by then. A command is answered
 * within three seconds, also while tutoring or Stripe hangs.
 */
const CANCEL_PATIENCE_MS = 2 * SECOND;
/**
 * So many updates a run takes; Temporal refuses more than 2,000 for good, and every worker that takes a saga over reads its whole
 * history. The rest are room for those that come while something is stuck.
 */
const UPDATES_A_RUN = 500;

/** Runs that were begun before went on in one history. */
const CONTINUES = 'continues-as-new';

/** What one run of a confirmed booking hands on to the next. */
export interface BookingSoFar {
  startsAt: string;
  paymentId: string;
  paymentVersion: number;
  /** The reminders still to be sent, in hours before the start. */
  reminders: number[];
  commands: CommandsSoFar;
}

/** Confirmed: reminders, changes and the end, whichever comes next. `before`: what the run before handed on. */
export async function untilSettled(
  live: LiveBooking,
  paymentId: string,
  before?: BookingSoFar,
): Promise<BookingResult> {
  const { input, facts, saga, commands, notices } = live;
  const { bookingId } = input;
  let reminders = before ? remindersOf(facts.startsAt, before.reminders) : remindersAhead(facts.startsAt);
  let remindedOf = facts.startsAt;
  for (;;) {
    // A move may end beside other things.
    if (facts.startsAt !== remindedOf) reminders = remindersAhead(facts.startsAt);
    remindedOf = facts.startsAt;
    const isMoved = () => facts.startsAt !== remindedOf;
    const reminder = reminders[0];
    const isWorn = commands.accepted() + saga.answers() >= UPDATES_A_RUN || workflowInfo().continueAsNewSuggested;
    const continues = isWorn && patched(CONTINUES);
    commands.sendOn(continues && isQuiet());
    const until = reminder?.at ?? end() + COMPLETES_BY_ITSELF_MS;
    const command = await commands.next(until, () => isMoved() || (continues && isAtRest()));
    if (command?.kind === 'cancel') return cancel(command);
    if (command?.kind === 'complete') return complete('tutor', command);
    if (command?.kind === 'reschedule') await moveSession(live, command);
    else if (isMoved()) continue;
    else if (continues && isAtRest()) {
      return continueAsNew<(input: BookingInput, before: BookingSoFar) => Promise<BookingResult>>(input, soFar());
    } else if (reminder) {
      notify(live, 'reminder', { hoursBefore: reminder.hours });
      reminders = reminders.slice(1);
    } else return complete('time');
  }

  function end(): number {
    return Date.parse(endOf(facts.startsAt, input.durationMinutes));
  }

  /** Nothing but commands can keep this run from ending: an undo or a notice may take a day. */
  function isQuiet(): boolean {
    return saga.isIdle() && notices.isIdle();
  }

  /** Nothing is under way that the next run would not know of. */
  function isAtRest(): boolean {
    return isQuiet() && allHandlersFinished();
  }

  function soFar(): BookingSoFar {
    const { startsAt } = facts;
    const hours = reminders.map(({ hours }) => hours);
    return { startsAt, paymentId, paymentVersion: live.paymentVersion(), reminders: hours, commands: commands.soFar() };
  }

  async function cancel(command: QueuedCommand & { kind: 'cancel' }): Promise<BookingResult> {
    const { by, noteId, requestedAt } = command;
    commands.enter('ending');
    forgetMoves(live);
    saga.tell('Compensating', `${sessionOf(live)}. Cancelled by ${by}: giving back what the terms say.`);
    const terms = await saga.forward('cancel', (act, key) =>
      act.cancelConfirmed({ bookingId, by, noteId, requestedAt, key }),
    );
    if (terms?.percent === undefined) await settleAsBefore(live, paymentId, command, terms);
    else await settle(command, terms.percent);
    return { outcome: 'cancelled', reason: `cancelled_by_${by}` };
  }

  /** People are told first: what was decided waits for neither Stripe nor the slot. */
  async function settle(command: QueuedCommand & { kind: 'cancel' }, percent: number): Promise<void> {
    notify(live, 'cancelled', { refundPercent: percent });
    // Taken back for good, as by the undo of hold-slot: what arrives late of that step is refused.
    const released = saga.forward('release-slot', (act, key) => act.releaseSlot({ bookingId, key: undoKeyOf(key) }));
    const everything = Promise.all([released, settleMoney(percent)]);
    await withPatience(everything, CANCEL_PATIENCE_MS);
    command.accept();
    const [, given] = await everything;
    saga.tell(
      'Compensated',
      `${sessionOf(live)}. Cancelled by ${command.by}, ${percent} % given back${given ? `: ${given.amount} ${given.currency}` : ''}.`,
    );
  }

  /** Gives the student's share back, and has the rest become payable. @returns what is given back; undefined when an operator has settled it */
  async function settleMoney(percent: number): Promise<Money | undefined> {
    const share =
      percent > 0
        ? await saga.forward('refund', (act, key) => act.refundShare({ paymentId, percent, key }), {
            money: true,
            settled: (act, as) => act.settleByHand({ paymentId, as, percent, key: `booking:${bookingId}/refund/undo` }),
          })
        : undefined;
    // What is owed to the student is no longer the tutor's, whatever becomes of the refund.
    const earned = percent < 100 ? releaseEarnings(live, paymentId, Date.now()) : undefined;
    if (share?.refundId) {
      saga.tell('Compensating', `${sessionOf(live)}. Waits for ${refundWorkflowId(share.refundId)}.`);
      await refundAsChild(saga, { refundId: share.refundId, paymentId, bookingId });
    }
    await earned;
    return share?.amount;
  }

  async function complete(by: 'tutor' | 'time', command?: QueuedCommand): Promise<BookingResult> {
    commands.enter('ending');
    forgetMoves(live);
    await saga.forward('complete', (act, key) => act.completeBooking({ bookingId, by, key }));
    await releaseEarnings(live, paymentId, end());
    command?.accept();
    notify(live, 'completed');
    saga.tell(
      'Completed',
      `${sessionOf(live)}. Completed by ${by}; the earnings become payable two days after its end.`,
    );
    return { outcome: 'completed', reason: `completed_by_${by}` };
  }
}

interface Reminder {
  at: number;
  hours: number;
}

function remindersOf(startsAt: string, hoursBefore: readonly number[]): Reminder[] {
  return hoursBefore.map((hours) => ({ hours, at: Date.parse(startsAt) - hours * HOUR }));
}

/** The reminders still ahead, soonest first. */
function remindersAhead(startsAt: string): Reminder[] {
  return remindersOf(startsAt, REMIND_HOURS_BEFORE).filter(({ at }) => at > Date.now());
}

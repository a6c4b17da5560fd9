import {
  allHandlersFinished,
  continueAsNew,
  patched,
  proxyActivities,
  proxyLocalActivities,
  workflowInfo,
} from '@temporalio/workflow';
import type { BookingActivities } from '../activities/booking';
import type { Notice, NoticeFacts } from '../activities/booking-notices';
import type { PaymentActivities } from '../activities/payment';
import type { Money } from '../kernel/money';
import { DAY, endOf, HOUR, SECOND } from '../kernel/time';
import { LOCAL_CALL, MOVE } from './activity-options';
import type { BookingInput, BookingResult } from './booking.api';
import type { CommandQueue, CommandsSoFar, QueuedCommand } from './booking-commands';
import type { Notices } from './booking-notices';
import { codeOf, isRefusal } from './failures';
import { refundAsChild } from './refund';
import { refundWorkflowId } from './refund.api';
import { type Saga, withPatience } from './saga';

const local = proxyLocalActivities<BookingActivities>(LOCAL_CALL);
const move = proxyActivities<BookingActivities>(MOVE);

const REMIND_HOURS_BEFORE = [24, 1];
/** A session that nobody reported completes two days after its end. */
const COMPLETES_BY_ITSELF_MS = 2 * DAY;
/** Whoever cancels waits behind the undo of a move no longer than this for each of its steps. */
const MOVE_PATIENCE_MS = 2 * SECOND;
/** A cancel is answered without the slot's release when that takes longer. */
const RELEASE_PATIENCE_MS = SECOND;
/**
 * So many updates a run takes; Temporal refuses more than 2,000 for good, and every worker that takes a saga over reads its whole
 * history. The rest are room for those that come while something is stuck.
 */
const UPDATES_A_RUN = 500;

/** Runs that were begun before went on in one history, undid a move before they heard anything, and released a slot before they paid. */
const CONTINUES = 'continues-as-new';
const HEARS_WHILE_UNDOING = 'hears-while-a-move-is-undone';
const MONEY_WAITS_FOR_NO_SLOT = 'money-waits-for-no-slot';

/** What one run of a confirmed booking hands on to the next. */
export interface BookingSoFar {
  startsAt: string;
  paymentId: string;
  paymentVersion: number;
  /** The reminders still to be sent, in hours before the start. */
  reminders: number[];
  commands: CommandsSoFar;
}

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

export function notify({ notices, facts }: LiveBooking, notice: Notice, about: NoticeFacts = {}): void {
  notices.send(notice, { startsAt: facts.startsAt, ...about });
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
  for (;;) {
    const reminder = reminders[0];
    const isWorn = commands.accepted() + saga.answers() >= UPDATES_A_RUN || workflowInfo().continueAsNewSuggested;
    const continues = isWorn && patched(CONTINUES);
    commands.sendOn(continues && isQuiet());
    const command = await commands.next(
      reminder?.at ?? end() + COMPLETES_BY_ITSELF_MS,
      continues ? isAtRest : undefined,
    );
    if (command?.kind === 'cancel') return cancel(command);
    if (command?.kind === 'complete') return complete('tutor', command);
    if (command?.kind === 'reschedule') {
      if (await reschedule(command)) reminders = remindersAhead(facts.startsAt);
    } else if (continues && isAtRest()) {
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

  /** @returns whether the session has moved */
  async function reschedule(command: QueuedCommand & { kind: 'reschedule' }): Promise<boolean> {
    // The session of a move that cannot be undone is still where nobody wants it.
    if (!saga.isIdle()) {
      command.refuse('upstream_unavailable');
      return false;
    }
    const previousStart = facts.startsAt;
    const { by, scheduledAt } = command;
    const change = `reschedule-${command.number}`;
    try {
      await saga.step(`${change}/move-slot`, {
        do: (key) => move.moveSlot({ bookingId, start: scheduledAt, key }),
        undo: (act, key) => act.moveSlot({ bookingId, start: previousStart, key }),
        local: true,
      });
      await saga.step(`${change}/booking`, {
        do: (key) => local.rescheduleBooking({ bookingId, scheduledAt, by, key }),
        undo: (act, key) => act.rescheduleBooking({ bookingId, scheduledAt: previousStart, by, key }),
        local: true,
      });
    } catch (error) {
      const undoing = await saga.undo(MOVE_PATIENCE_MS);
      if (undoing && !patched(HEARS_WHILE_UNDOING)) await undoing.done;
      command.refuse(isRefusal(error) ? codeOf(error) : 'upstream_unavailable');
      return false;
    }
    saga.pivot();
    facts.startsAt = scheduledAt;
    commands.moved();
    saga.tell('Confirmed', `${sessionOf(live)} (moved from ${previousStart}). Waits for its reminders and its end.`);
    notify(live, 'rescheduled', { previousStart });
    command.accept();
    return true;
  }

  /** Whatever becomes of the session now, where a move that failed would have put it back no longer matters. */
  function forgetMoves(): void {
    saga.drop((name) => name.startsWith('undo reschedule-'));
  }

  async function cancel(command: QueuedCommand & { kind: 'cancel' }): Promise<BookingResult> {
    const { by, noteId, requestedAt } = command;
    commands.enter('ending');
    forgetMoves();
    saga.tell('Compensating', `${sessionOf(live)}. Cancelled by ${by}: giving back what the terms say.`);
    const terms = await saga.forward('cancel', (act, key) =>
      act.cancelConfirmed({ bookingId, by, noteId, requestedAt, key }),
    );
    const besideMoney = patched(MONEY_WAITS_FOR_NO_SLOT);
    // Taken back for good, as by the undo of hold-slot: what arrives late of that step is refused. Recorded, because a local attempt would
    // hold up the money.
    const released = saga.forward('release-slot', (act, key) => act.releaseSlot({ bookingId, key: `${key}/undo` }), {
      local: !besideMoney,
    });
    if (!besideMoney) await released;
    if (terms && terms.refund.amount > 0) await refund(terms.refund);
    if (besideMoney) await withPatience(released, RELEASE_PATIENCE_MS);
    command.accept();
    if (terms && terms.retained.amount > 0) {
      await saga.forward('release-earnings', (act, key) => act.releaseEarnings({ paymentId, key }), { money: true });
    }
    await released;
    notify(live, 'cancelled', terms ? { refund: terms.refund } : {});
    saga.tell(
      'Compensated',
      `${sessionOf(live)}. Cancelled by ${by}, refunded ${terms?.refund.amount ?? 0} ${terms?.refund.currency ?? ''}.`,
    );
    return { outcome: 'cancelled', reason: `cancelled_by_${by}` };
  }

  async function refund(amount: Money): Promise<void> {
    const made = await saga.forward('refund', (act, key) => act.createRefund({ paymentId, amount, key }), {
      money: true,
      settled: (act, as) => act.settleByHand({ paymentId, as, key: `booking:${bookingId}/refund/undo` }),
    });
    if (!made) return;
    const { refundId } = made;
    saga.tell('Compensating', `${sessionOf(live)}. Waits for ${refundWorkflowId(refundId)}.`);
    await refundAsChild(saga, { refundId, paymentId, bookingId });
  }

  async function complete(by: 'tutor' | 'time', command?: QueuedCommand): Promise<BookingResult> {
    commands.enter('ending');
    forgetMoves();
    await saga.forward('complete', (act, key) => act.completeBooking({ bookingId, by, key }));
    await saga.forward('release-earnings', (act, key) => act.releaseEarnings({ paymentId, key }), { money: true });
    command?.accept();
    notify(live, 'completed');
    saga.tell('Completed', `${sessionOf(live)}. Completed by ${by}; the earnings are payable.`);
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

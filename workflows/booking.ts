import {
  allHandlersFinished,
  CancellationScope,
  condition,
  isCancellation,
  proxyActivities,
  proxyLocalActivities,
  workflowInfo,
} from '@temporalio/workflow';
import type { BookingActivities, BookingTerms } from '../activities/booking';
import type { Notice, NoticeFacts } from '../activities/booking-notices';
import type { PaymentActivities, PaymentSummary } from '../activities/payment';
import type { Money } from '../kernel/money';
import type { Party } from '../kernel/session';
import type { CancelReason } from '../kernel/statuses';
import { DAY, endOf, HOUR, MINUTE } from '../kernel/time';
import { FORWARD_MONEY, REMEMBERED_CALL, SERVICE_CALL, UNTIL_DONE_MONEY } from './activity-options';
import { type BookingInput, type BookingResult, paymentChanged } from './booking.api';
import { createCommandQueue, type QueuedCommand } from './booking-commands';
import { createNotices } from './booking-notices';
import { codeOf, isRefusal, refuse } from './failures';
import { awaitCustomerAction, PAYMENT_DEADLINE_MS, requirePaid } from './payment';
import { refundAsChild } from './refund';
import { refundWorkflowId } from './refund.api';
import { createSaga } from './saga';
import { highestVersion } from './versions';

/**
 * What happens when a student books. Each step with what takes it back; the fault tests are made from this table.
 * `manual`: only where the tutor must confirm.
 */
export const BOOKING_STEPS = {
  create: { does: 'createBooking', undo: 'cancelBooking', runs: 'local', manual: false },
  'hold-slot': { does: 'holdSlot', undo: 'releaseSlot', runs: 'local', manual: false },
  authorize: { does: 'authorizePayment', undo: 'settleToZero', runs: 'recorded', manual: true },
  // the tutor decides
  'block-slot': { does: 'blockSlot', undo: 'releaseSlot', runs: 'local', manual: true },
  'take-payment': { does: 'chargePayment', undo: 'settleToZero', runs: 'recorded', manual: false },
  // the pivot: from here only forward (confirm, notify, remind, complete)
} as const;

const act = proxyLocalActivities<BookingActivities>(SERVICE_CALL);
const remembered = proxyActivities<BookingActivities>(REMEMBERED_CALL);
const money = proxyActivities<PaymentActivities>(FORWARD_MONEY);
const moneyMust = proxyActivities<PaymentActivities>(UNTIL_DONE_MONEY);

/** A hold outlives the wait it covers by this much, so that it never ends while its payment is being taken. */
const HOLD_MARGIN_MS = 10 * MINUTE;
/** A tutor answers within six days: the seventh is when a card's authorisation ends. */
const TUTOR_DEADLINE_MS = 6 * DAY;
/** Time to capture before the authorisation ends. */
const CAPTURE_MARGIN_MS = 12 * HOUR;
const REMIND_HOURS_BEFORE = [24, 1];
/** A session that nobody reported completes two days after its end. */
const COMPLETES_BY_ITSELF_MS = 2 * DAY;

interface Ending {
  reason: CancelReason;
  noteId: string | null;
  cancelledBy: Party | null;
}

/** The facts of one booking, as far as they are known. How it is told, undone and ended goes by them. */
interface Facts {
  /** Start of the session, ISO 8601; a move changes it. */
  startsAt: string;
  /** Known from the moment the booking is made. */
  terms?: BookingTerms;
  /** The tutor was asked, and so has to hear of the end too. */
  tutorAsked?: boolean;
  /** The tutor's yes, whose client is answered once the money is taken and the booking confirmed. */
  decision?: QueuedCommand;
  /** Why it comes to nothing: the first reason stays. */
  ending?: Ending;
  /** No booking was made because a part of the platform did not answer, which the waiting client is told. */
  unavailable?: boolean;
}

/** From a request to a settled booking: see `docs/sagas/booking.md`. */
export async function booking(input: BookingInput): Promise<BookingResult> {
  const { bookingId, studentId, tutorId, durationMinutes } = input;
  const saga = createSaga();
  const beforePivot = new CancellationScope();
  // Before the commands: a cancel that came with the first task is heard the moment they are made.
  const facts: Facts = { startsAt: input.scheduledAt };
  const notices = createNotices(bookingId);
  const commands = createCommandQueue({
    startsAt: () => Date.parse(facts.startsAt),
    endsAt: end,
    cancelBeforePivot({ by, noteId }) {
      facts.ending ??= { reason: `cancelled_by_${by}`, noteId, cancelledBy: by };
      beforePivot.cancel();
    },
  });
  // Deadlines that local steps send count from here and not from now: a workflow task that a crash repeats sends its local steps
  // again under the same keys, and has to say the same.
  const bookedAt = workflowInfo().startTime.getTime();
  const seenVersion = highestVersion(paymentChanged);
  // Temporal's own Cancel counts as an operator's cancel.
  CancellationScope.current().cancelRequested.catch(() => commands.cancelByOperator());

  return CancellationScope.nonCancellable(async () => {
    let paid: PaymentSummary;
    try {
      paid = await beforePivot.run(request);
      // A cancel that met the charge while it was taking effect came before the pivot: everything is given back.
      if (facts.ending) throw refuse('invalid_state');
    } catch (error) {
      return finish(await undoAll(error));
    }
    saga.pivot();
    // A cancel that comes now is one of a confirmed booking; it waits for its turn.
    commands.enter('confirmed');
    await saga.forward('confirm', (key) => remembered.confirmBooking({ bookingId, key }));
    facts.decision?.accept();
    saga.tell('Confirmed', `${session()}. Waits for its reminders and its end.`, paid.paymentId);
    notify('confirmed');
    return finish(await untilSettled(paid.paymentId));
  });

  function session(): string {
    return `Session ${facts.startsAt}, ${durationMinutes} min, tutor ${tutorId}, student ${studentId}`;
  }

  function end(): number {
    return Date.parse(endOf(facts.startsAt, durationMinutes));
  }

  function notify(notice: Notice, about: NoticeFacts = {}): void {
    notices.send(notice, { startsAt: facts.startsAt, ...about });
  }

  async function request(): Promise<PaymentSummary> {
    saga.tell('Running', `${session()}. Holding the slot and taking the payment.`);
    const terms = await saga.step('create', {
      do: (key) => act.createBooking({ bookingId, key }),
      async undo(_, key) {
        // A task that was lost with its worker may have held the slot, which this run of it never came to.
        if (!facts.terms) await act.releaseSlot({ bookingId, key: `booking:${bookingId}/hold-slot/undo` });
        await act.cancelBooking({ bookingId, key, unavailable: facts.unavailable ?? false, ...ending() });
      },
    });
    facts.terms = terms;
    await saga.step('hold-slot', {
      do: (key) =>
        act.holdSlot({
          bookingId,
          tutorId,
          start: facts.startsAt,
          durationMinutes,
          // Where nobody has to decide first it is booked at once, which saves a step.
          expiresAt: terms.instantBooking ? null : holdUntil(bookedAt + PAYMENT_DEADLINE_MS),
          key,
        }),
      undo: (_, key) => act.releaseSlot({ bookingId, key }),
    });
    const authorized = terms.instantBooking ? undefined : await authorizeAndAskTutor(terms);
    commands.enter('taking_payment');
    if (authorized) {
      await saga.step('block-slot', {
        do: (key) => act.blockSlot({ bookingId, key }),
        undo: (_, key) => act.releaseSlot({ bookingId, key }),
      });
    }
    return saga.step('take-payment', {
      do: async (key) =>
        authorized
          ? money.capturePayment({ paymentId: authorized.paymentId, bookingId, key })
          : requirePaid(await customerPays(await money.chargePayment(charge(terms, key)), key)),
      undo: (_, key) => moneyMust.settleToZero({ bookingId, key }),
    });
  }

  function charge({ price }: BookingTerms, key: string) {
    const awaitingUntil = new Date(Date.now() + PAYMENT_DEADLINE_MS).toISOString();
    return {
      bookingId,
      payerId: studentId,
      payeeId: tutorId,
      amount: price,
      paymentMethodId: input.paymentMethodId,
      awaitingUntil,
      key,
    };
  }

  /** Waits for 3-D Secure where the card asks for it. */
  async function customerPays(payment: PaymentSummary, key: string): Promise<PaymentSummary> {
    if (payment.status !== 'requires_action') return payment;
    saga.tell('AwaitingPayment', `${session()}. Waits for the student to complete 3-D Secure.`, payment.paymentId);
    return awaitCustomerAction(payment, { key, seenVersion });
  }

  async function authorizeAndAskTutor(terms: BookingTerms): Promise<PaymentSummary> {
    const authorized = await saga.step('authorize', {
      do: async (key) => requirePaid(await customerPays(await money.authorizePayment(charge(terms, key)), key)),
      undo: (_, key) => moneyMust.settleToZero({ bookingId, key }),
    });
    const respondBy = Math.min(
      bookedAt + TUTOR_DEADLINE_MS,
      authorized.captureBefore === null
        ? Number.POSITIVE_INFINITY
        : Date.parse(authorized.captureBefore) - CAPTURE_MARGIN_MS,
      Date.parse(terms.startsAt),
    );
    const respondByIso = new Date(respondBy).toISOString();
    await act.extendHold({ bookingId, expiresAt: holdUntil(respondBy), key: `booking:${bookingId}/extend-hold` });
    await act.awaitTutor({ bookingId, respondBy: respondByIso, key: `booking:${bookingId}/await-tutor` });
    facts.tutorAsked = true;
    notify('requested', { respondBy: respondByIso });
    saga.tell(
      'AwaitingTutor',
      `${session()}. Waits for the tutor to confirm or decline until ${respondByIso}.`,
      authorized.paymentId,
    );
    commands.enter('awaiting_tutor');
    const decision = await commands.next(respondBy);
    facts.decision = decision;
    if (decision?.kind === 'confirm') return authorized;
    facts.ending =
      decision?.kind === 'decline'
        ? { reason: 'declined', noteId: decision.noteId, cancelledBy: 'tutor' }
        : { reason: 'tutor_expired', noteId: null, cancelledBy: null };
    throw refuse('invalid_state');
  }

  function ending(): Ending {
    return facts.ending ?? { reason: 'slot_unavailable', noteId: null, cancelledBy: null };
  }

  async function undoAll(error: unknown): Promise<BookingResult> {
    const isMade = facts.terms !== undefined;
    facts.ending ??= { reason: endReason(error, isMade), noteId: null, cancelledBy: null };
    const { reason } = facts.ending;
    facts.unavailable = !isMade && !isRefusal(error) && !isCancellation(error);
    commands.enter('ending');
    saga.tell('Compensating', `${session()}. Undoing everything: ${reason}.`);
    await saga.undo();
    saga.tell('Compensated', `${session()}. Nothing was booked: ${reason}.`);
    commands.answerAll(reason);
    if (facts.tutorAsked)
      notify(reason === 'declined' ? 'declined' : reason === 'tutor_expired' ? 'expired' : 'cancelled');
    else if (reason === 'payment_expired') notify('expired');
    return { outcome: isMade ? 'cancelled' : 'refused', reason };
  }

  /** Confirmed: reminders, changes and the end, whichever comes next. */
  async function untilSettled(paymentId: string): Promise<BookingResult> {
    let reminders = remindersFor(facts.startsAt);
    for (;;) {
      const reminder = reminders[0];
      const command = await commands.next(reminder?.at ?? end() + COMPLETES_BY_ITSELF_MS);
      if (command?.kind === 'cancel') return cancelConfirmed(command, paymentId);
      if (command?.kind === 'complete') return complete('tutor', paymentId, command);
      if (command?.kind === 'reschedule') {
        await reschedule(command);
        reminders = remindersFor(facts.startsAt);
      } else if (reminder) {
        notify('reminder', { hoursBefore: reminder.hours });
        reminders = reminders.slice(1);
      } else return complete('time', paymentId);
    }
  }

  async function reschedule(command: QueuedCommand & { kind: 'reschedule' }): Promise<void> {
    const previousStart = facts.startsAt;
    const change = `reschedule-${command.number}`;
    try {
      await saga.step(`${change}/move-slot`, {
        do: (key) => remembered.moveSlot({ bookingId, start: command.scheduledAt, key }),
        undo: (_, key) => act.moveSlot({ bookingId, start: previousStart, key }),
      });
      await saga.step(`${change}/booking`, {
        do: (key) => act.rescheduleBooking({ bookingId, scheduledAt: command.scheduledAt, by: command.by, key }),
        undo: (_, key) => act.rescheduleBooking({ bookingId, scheduledAt: previousStart, by: command.by, key }),
      });
    } catch (error) {
      await saga.undo();
      return command.refuse(isRefusal(error) ? codeOf(error) : 'upstream_unavailable');
    }
    saga.pivot();
    facts.startsAt = command.scheduledAt;
    saga.tell('Confirmed', `${session()} (moved from ${previousStart}). Waits for its reminders and its end.`);
    notify('rescheduled', { previousStart });
    command.accept();
  }

  async function cancelConfirmed(
    command: QueuedCommand & { kind: 'cancel' },
    paymentId: string,
  ): Promise<BookingResult> {
    const { by, noteId, requestedAt } = command;
    commands.enter('ending');
    saga.tell('Compensating', `${session()}. Cancelled by ${by}: giving back what the terms say.`);
    const terms = await saga.forward('cancel', (key) =>
      remembered.cancelConfirmed({ bookingId, by, noteId, requestedAt, key }),
    );
    // Taken back for good, as by the undo of hold-slot: what arrives late of that step is refused.
    await saga.forward('release-slot', (key) => act.releaseSlot({ bookingId, key: `${key}/undo` }));
    if (terms && terms.refund.amount > 0) await refund(terms.refund, paymentId);
    command.accept();
    if (terms && terms.retained.amount > 0) {
      await saga.forward('release-earnings', (key) => moneyMust.releaseEarnings({ paymentId, key }));
    }
    notify('cancelled', terms ? { refund: terms.refund } : {});
    saga.tell(
      'Compensated',
      `${session()}. Cancelled by ${by}, refunded ${terms?.refund.amount ?? 0} ${terms?.refund.currency ?? ''}.`,
    );
    return { outcome: 'cancelled', reason: `cancelled_by_${by}` };
  }

  async function refund(amount: Money, paymentId: string): Promise<void> {
    const made = await saga.forward('refund', (key) => moneyMust.createRefund({ paymentId, amount, key }));
    if (!made) return;
    const { refundId } = made;
    saga.tell('Compensating', `${session()}. Waits for ${refundWorkflowId(refundId)}.`);
    await refundAsChild(saga, { refundId, paymentId, bookingId });
  }

  async function complete(by: 'tutor' | 'time', paymentId: string, command?: QueuedCommand): Promise<BookingResult> {
    commands.enter('ending');
    await saga.forward('complete', (key) => remembered.completeBooking({ bookingId, by, key }));
    await saga.forward('release-earnings', (key) => moneyMust.releaseEarnings({ paymentId, key }));
    command?.accept();
    notify('completed');
    saga.tell('Completed', `${session()}. Completed by ${by}; the earnings are payable.`);
    return { outcome: 'completed', reason: `completed_by_${by}` };
  }

  /** A workflow that ended with handlers or mails under way would drop them. */
  async function finish(result: BookingResult): Promise<BookingResult> {
    await notices.settled();
    commands.answerAll(result.reason);
    await condition(allHandlersFinished);
    return result;
  }
}

function holdUntil(deadline: number): string {
  return new Date(deadline + HOLD_MARGIN_MS).toISOString();
}

/** The reminders still ahead, soonest first. */
function remindersFor(startsAt: string): { at: number; hours: number }[] {
  return REMIND_HOURS_BEFORE.map((hours) => ({ hours, at: Date.parse(startsAt) - hours * HOUR })).filter(
    ({ at }) => at > Date.now(),
  );
}

/** Why a booking came to nothing, from the failure that ended it. `isMade`: the failure came after the booking was made. */
function endReason(error: unknown, isMade: boolean): CancelReason {
  const code = codeOf(error);
  if (code === 'payment_declined' || code === 'payment_failed') return 'payment_declined';
  if (code === 'payment_expired') return 'payment_expired';
  if (code === 'slot_unavailable' || code === 'conflict' || !isMade) return 'slot_unavailable';
  return 'payment_expired';
}

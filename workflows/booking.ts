import {
  allHandlersFinished,
  CancellationScope,
  condition,
  isCancellation,
  log,
  patched,
  proxyActivities,
  proxyLocalActivities,
  workflowInfo,
} from '@temporalio/workflow';
import type { BookingActivities, BookingTerms } from '../activities/booking';
import type { PaymentActivities, PaymentSummary } from '../activities/payment';
import type { Party } from '../kernel/session';
import type { CancelReason } from '../kernel/statuses';
import { DAY, endOf, HOUR, MINUTE } from '../kernel/time';
import { FORWARD_MONEY, LOCAL_CALL, RECORDED_CALL } from './activity-options';
import { type BookingInput, type BookingResult, paymentChanged } from './booking.api';
import { type LiveBooking, notify, sessionOf } from './booking-alive';
import { createCommandQueue, type QueuedCommand } from './booking-commands';
import { type BookingSoFar, untilSettled } from './booking-confirmed';
import { createNotices, isOneAtATime } from './booking-notices';
import { codeOf, isRefusal, refuse } from './failures';
import { localFirst } from './local-first';
import { awaitCustomerAction, isPaid, requirePaid } from './payment';
import { PAYMENT_DEADLINE_MS } from './payment.api';
import { createSaga, type StepWithUndo } from './saga';
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
  'block-slot': { does: 'blockSlot', undo: 'releaseSlot', runs: 'recorded', manual: true },
  'take-payment': { does: 'chargePayment', undo: 'settleToZero', runs: 'recorded', manual: false },
  // the pivot: from here only forward (confirm, notify, remind, complete)
} as const;

type Steps = BookingActivities & PaymentActivities;

const local = proxyLocalActivities<BookingActivities>(LOCAL_CALL);
const recorded = proxyActivities<BookingActivities>(RECORDED_CALL);
const createBooking = localFirst(local.createBooking, recorded.createBooking);
const holdSlot = localFirst(local.holdSlot, recorded.holdSlot);
const extendHold = localFirst(local.extendHold, recorded.extendHold);
const money = proxyActivities<PaymentActivities>(FORWARD_MONEY);

/** Once the money is authorised, trouble of the platform is no reason to give a booking up before its time is over. */
const retriedUntil = (deadline: number) =>
  proxyActivities<Steps>({ ...FORWARD_MONEY, scheduleToCloseTimeout: Math.max(deadline - Date.now(), MINUTE) });

/** A hold outlives the wait it covers by this much, so that it never ends while its payment is being taken. */
const HOLD_MARGIN_MS = 10 * MINUTE;
/** A tutor answers within six days: the seventh is when a card's authorisation ends. */
const TUTOR_DEADLINE_MS = 6 * DAY;
/** Time to capture before the authorisation ends. */
const CAPTURE_MARGIN_MS = 12 * HOUR;
/** How long an authorisation may be retried before the bank asks its customer. */
const ASKED_WITHIN_MS = 10 * MINUTE;

/** A webhook may be lost: so often Stripe is asked about an authorisation that waits for the tutor. */
const LOOK_EVERY_MS = 6 * HOUR;

/** Bookings that were begun before waited for the tutor whatever became of the authorisation, and told nobody of a late decline. */
const LOOKS_WHILE_THE_TUTOR_IS_ASKED = 'looks-while-the-tutor-is-asked';
const TELLS_OF_LATE_DECLINES = 'tells-of-late-declines';
/** Bookings of which nobody knew whether they were made, because no answer came, ended before as if their slot had been taken. */
const BLAMES_THE_PLATFORM = 'blames-the-platform';
/** Bookings that were begun before kept the hold of their first minutes, however late the bank asked. */
const HOLD_LASTS_FOR_THE_BANK = 'hold-lasts-for-the-bank';

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
  /** The bank was asked: the student's request may have been answered before it answered. */
  bankAsked?: boolean;
  /** The tutor was asked, and so has to hear of the end too. */
  tutorAsked?: boolean;
  /** The tutor's yes, whose client is answered once the money is taken and the booking confirmed. */
  decision?: QueuedCommand;
  /** Why it comes to nothing: the first reason stays. */
  ending?: Ending;
  /** No booking was made because a part of the platform did not answer, which the waiting client is told. */
  unavailable: boolean;
}

/**
 * From a request to a settled booking: see `docs/sagas/booking.md`. `before`: what the run before this one, of a confirmed booking that
 * lived long, handed on.
 */
export async function booking(input: BookingInput, before?: BookingSoFar): Promise<BookingResult> {
  const { bookingId, studentId, tutorId, durationMinutes } = input;
  const saga = createSaga<Steps>(before ? { state: 'Confirmed', paymentId: before.paymentId } : { state: 'Running' });
  const beforePivot = new CancellationScope();
  // Before the commands: a cancel that came with the first task is heard the moment they are made.
  const facts: Facts = { startsAt: before?.startsAt ?? input.scheduledAt, unavailable: false };
  const notices = createNotices(bookingId);
  const commands = createCommandQueue(
    {
      startsAt: () => Date.parse(facts.startsAt),
      endsAt: () => Date.parse(endOf(facts.startsAt, durationMinutes)),
      isBusy: () => !saga.isIdle(),
      cancelBeforePivot({ by, noteId }) {
        facts.ending ??= { reason: `cancelled_by_${by}`, noteId, cancelledBy: by };
        beforePivot.cancel();
      },
    },
    before?.commands,
  );
  // Deadlines that local steps send count from here and not from now: a workflow task that a crash repeats sends its local steps
  // again under the same keys, and has to say the same.
  const bookedAt = workflowInfo().startTime.getTime();
  const seenVersion = highestVersion(paymentChanged, before?.paymentVersion);
  /** The undo of all money, and what is freed when an operator has settled it by hand. */
  const settledToZero: Pick<StepWithUndo<Steps, PaymentSummary>, 'undo' | 'money' | 'settled'> = {
    undo: (act, key) => act.settleToZero({ bookingId, key }),
    money: true,
    settled: (act, as) => act.settleByHand({ bookingId, as, key: `booking:${bookingId}/settle-by-hand/undo` }),
  };
  const live: LiveBooking = { input, facts, saga, commands, notices, paymentVersion: seenVersion };
  // Temporal's own Cancel counts as an operator's cancel.
  CancellationScope.current().cancelRequested.catch(() => commands.cancelByOperator());

  return CancellationScope.nonCancellable(async () => {
    if (before) {
      saga.tell('Confirmed', `${sessionOf(live)}. Waits for its reminders and its end.`, before.paymentId);
      return finish(await untilSettled(live, before.paymentId, before));
    }
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
    await saga.forward('confirm', (act, key) => act.confirmBooking({ bookingId, key }));
    facts.decision?.accept();
    saga.tell('Confirmed', `${sessionOf(live)}. Waits for its reminders and its end.`, paid.paymentId);
    notify(live, 'confirmed');
    return finish(await untilSettled(live, paid.paymentId));
  });

  async function request(): Promise<PaymentSummary> {
    saga.tell('Running', `${sessionOf(live)}. Holding the slot and taking the payment.`);
    const terms = await saga.step('create', {
      do: (key) => createBooking({ bookingId, key }),
      async undo(act, key) {
        // A task that was lost with its worker may have held the slot, which this run of it never came to.
        if (!facts.terms) await act.releaseSlot({ bookingId, key: `booking:${bookingId}/hold-slot/undo` });
        await act.cancelBooking({ bookingId, key, unavailable: facts.unavailable, ...ending() });
      },
      local: isAlone,
    });
    facts.terms = terms;
    await saga.step('hold-slot', {
      do: (key) =>
        holdSlot({
          bookingId,
          tutorId,
          start: facts.startsAt,
          durationMinutes,
          // Where nobody has to decide first it is booked at once, which saves a step.
          expiresAt: terms.instantBooking ? null : holdUntil(bookedAt + PAYMENT_DEADLINE_MS),
          key,
        }),
      undo: (act, key) => act.releaseSlot({ bookingId, key }),
      local: isAlone,
    });
    const authorized = terms.instantBooking ? undefined : await authorizeAndAskTutor(terms);
    commands.enter('taking_payment');
    if (!authorized) {
      return saga.step('take-payment', {
        do: async (key) => requirePaid(await customerPays(await money.chargePayment(charge(terms, key)), key)),
        ...settledToZero,
      });
    }
    const { paymentId, captureBefore } = authorized;
    const pursued = retriedUntil(Math.min(Date.parse(captureBefore ?? terms.startsAt), Date.parse(terms.startsAt)));
    const blockSlot = isAlone() ? localFirst(local.blockSlot, pursued.blockSlot) : pursued.blockSlot;
    await saga.step('block-slot', {
      do: (key) => blockSlot({ bookingId, key }),
      undo: (act, key) => act.releaseSlot({ bookingId, key }),
      local: isAlone,
    });
    return saga.step('take-payment', {
      do: (key) => pursued.capturePayment({ paymentId, bookingId, key }),
      ...settledToZero,
    });
  }

  /** Whether a step may be local: once the tutor was asked, the notice of that may be under way. */
  function isAlone(): boolean {
    return !facts.tutorAsked || !isOneAtATime();
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

  /** Waits for 3-D Secure where the card asks for it. `asked`: what is to be done then. */
  async function customerPays(
    payment: PaymentSummary,
    key: string,
    asked: () => Promise<void> = async () => undefined,
  ): Promise<PaymentSummary> {
    if (payment.status !== 'requires_action') return payment;
    saga.tell(
      'AwaitingPayment',
      `${sessionOf(live)}. Waits for the student to complete 3-D Secure.`,
      payment.paymentId,
    );
    facts.bankAsked = true;
    await asked();
    return awaitCustomerAction(payment, { key, seenVersion });
  }

  /**
   * The slot is held for as long as the bank may ask. Where it cannot be extended the booking
   * goes on: the block takes a slot whose hold is over, unless somebody else has taken its time.
   */
  async function holdForTheBank(awaitingUntil: number): Promise<void> {
    if (!patched(HOLD_LASTS_FOR_THE_BANK)) return;
    const expiresAt = holdUntil(awaitingUntil + ASKED_WITHIN_MS);
    await extendHold({ bookingId, expiresAt, key: `booking:${bookingId}/hold-for-the-bank` }).catch(
      (error: unknown) => {
        if (isCancellation(error)) throw error;
        log.warn('the hold ends before the bank has to answer', { bookingId, code: codeOf(error) });
      },
    );
  }

  async function authorizeAndAskTutor(terms: BookingTerms): Promise<PaymentSummary> {
    const authorized = await saga.step('authorize', {
      async do(key) {
        const asked = charge(terms, key);
        const lasting = () => holdForTheBank(Date.parse(asked.awaitingUntil));
        return requirePaid(await customerPays(await money.authorizePayment(asked), key, lasting));
      },
      ...settledToZero,
    });
    const respondBy = Math.min(
      bookedAt + TUTOR_DEADLINE_MS,
      authorized.captureBefore === null
        ? Number.POSITIVE_INFINITY
        : Date.parse(authorized.captureBefore) - CAPTURE_MARGIN_MS,
      Date.parse(terms.startsAt),
    );
    const respondByIso = new Date(respondBy).toISOString();
    const pursued = retriedUntil(respondBy);
    const held = { bookingId, expiresAt: holdUntil(respondBy), key: `booking:${bookingId}/extend-hold` };
    await localFirst(local.extendHold, pursued.extendHold)(held);
    const asked = { bookingId, respondBy: respondByIso, key: `booking:${bookingId}/await-tutor` };
    await localFirst(local.awaitTutor, pursued.awaitTutor)(asked);
    facts.tutorAsked = true;
    notify(live, 'requested', { respondBy: respondByIso });
    saga.tell(
      'AwaitingTutor',
      `${sessionOf(live)}. Waits for the tutor to confirm or decline until ${respondByIso}.`,
      authorized.paymentId,
    );
    commands.enter('awaiting_tutor');
    const decision = await tutorDecides(authorized, respondBy);
    facts.decision = decision;
    if (decision?.kind === 'confirm') return authorized;
    facts.ending =
      decision?.kind === 'decline'
        ? { reason: 'declined', noteId: decision.noteId, cancelledBy: 'tutor' }
        : { reason: 'tutor_expired', noteId: null, cancelledBy: null };
    throw refuse('invalid_state');
  }

  /**
   * Waits for the tutor. Meanwhile the authorisation may end at Stripe, by a hand there or because the bank lets it lapse: then there is
   * nothing left to decide. What has been captured by hand stays, and is given back if the tutor declines.
   */
  async function tutorDecides(authorized: PaymentSummary, respondBy: number): Promise<QueuedCommand | undefined> {
    if (!patched(LOOKS_WHILE_THE_TUTOR_IS_ASKED)) return commands.next(respondBy);
    const { paymentId } = authorized;
    let shown = authorized.version;
    let known = shown;
    let hasEnded = false;
    let isLooking = false;
    let lookAt = Date.now() + LOOK_EVERY_MS;
    const hasNews = () => !isLooking && seenVersion() > known;
    for (;;) {
      const wasLooking = isLooking;
      const until = wasLooking ? respondBy : Math.min(respondBy, lookAt);
      const decision = await commands.next(until, () => hasNews() || (wasLooking && !isLooking));
      if (decision || Date.now() >= respondBy) return decision;
      if (hasEnded) throw refuse('payment_expired');
      // Beside the wait: a Stripe that hangs must not keep the tutor's answer waiting.
      if (hasNews() || (!isLooking && Date.now() >= lookAt)) void look();
    }

    async function look(): Promise<void> {
      isLooking = true;
      known = Math.max(known, seenVersion());
      try {
        const now = await money.refreshPayment({ paymentId, bookingId, shownVersion: shown });
        shown = now.version;
        known = Math.max(known, shown);
        hasEnded = !isPaid(now);
      } catch (error) {
        log.warn('what became of the authorisation is not known yet', { bookingId, code: codeOf(error) });
      }
      isLooking = false;
      lookAt = Date.now() + LOOK_EVERY_MS;
    }
  }

  /** How it ends: by whoever ended it, else by the failure that did. */
  function ending(failure?: unknown): Ending {
    facts.ending ??= { reason: endReason(failure, facts.terms !== undefined), noteId: null, cancelledBy: null };
    return facts.ending;
  }

  async function undoAll(error: unknown): Promise<BookingResult> {
    const isMade = facts.terms !== undefined;
    const { reason } = ending(error);
    facts.unavailable = !isMade && !isRefusal(error) && !isCancellation(error);
    commands.enter('ending');
    saga.tell('Compensating', `${sessionOf(live)}. Undoing everything: ${reason}.`);
    await (await saga.undo())?.done;
    saga.tell('Compensated', `${sessionOf(live)}. Nothing was booked: ${reason}.`);
    commands.answerAll(reason);
    if (facts.tutorAsked)
      notify(live, reason === 'declined' ? 'declined' : reason === 'tutor_expired' ? 'expired' : 'cancelled');
    // The student has long been answered that it is being worked on. The tutor never heard of it.
    else if (
      reason === 'payment_expired' ||
      (reason === 'platform_unavailable' && (isMade || patched(BLAMES_THE_PLATFORM)))
    )
      notify(live, 'expired');
    else if (reason === 'payment_declined' && facts.bankAsked && patched(TELLS_OF_LATE_DECLINES))
      notify(live, 'expired');
    return { outcome: isMade ? 'cancelled' : 'refused', reason };
  }

  /** A workflow that ended with handlers, notices or undos under way would drop them. */
  async function finish(result: BookingResult): Promise<BookingResult> {
    await notices.settled();
    if (!saga.isIdle()) await condition(() => saga.isIdle());
    commands.answerAll(result.reason);
    await condition(allHandlersFinished);
    return result;
  }
}

function holdUntil(deadline: number): string {
  return new Date(deadline + HOLD_MARGIN_MS).toISOString();
}

/** Why a booking came to nothing, from the failure that ended it. `isMade`: the failure came after the booking was made. */
function endReason(error: unknown, isMade: boolean): CancelReason {
  const code = codeOf(error);
  if (code === 'payment_declined' || code === 'payment_failed') return 'payment_declined';
  if (code === 'payment_expired') return 'payment_expired';
  if (code === 'slot_unavailable' || code === 'conflict' || (!isMade && isRefusal(error))) return 'slot_unavailable';
  return 'platform_unavailable';
}

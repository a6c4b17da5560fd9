import { patched, proxyActivities, proxyLocalActivities } from '@temporalio/workflow';
import type { BookingActivities } from '../activities/booking';
import type { Money } from '../kernel/money';
import { undoKeyOf } from '../kernel/step-key';
import { SECOND } from '../kernel/time';
import { LOCAL_CALL, MOVE } from './activity-options';
import { haveMoved, type LiveBooking, notify, releaseEarnings, sessionOf } from './booking-alive';
import type { QueuedCommand } from './booking-commands';
import { codeOf, isRefusal } from './failures';
import { refundAsChild } from './refund';
import { refundWorkflowId } from './refund.api';
import { withPatience } from './saga';

// How bookings go on that were begun by the code of before. Nothing of today calls it, and it goes when none of them runs any more.

const local = proxyLocalActivities<BookingActivities>(LOCAL_CALL);
const move = proxyActivities<BookingActivities>(MOVE);

/** Whoever cancels waits behind the undo of a move no longer than this for each of its steps. */
const MOVE_PATIENCE_MS = 2 * SECOND;
/** A cancel is answered without the slot's release when that takes longer. */
const RELEASE_PATIENCE_MS = SECOND;

/** Runs that were begun still earlier undid a move before they heard anything, and released a slot before they paid. */
const HEARS_WHILE_UNDOING = 'hears-while-a-move-is-undone';
const MONEY_WAITS_FOR_NO_SLOT = 'money-waits-for-no-slot';

/** Moves the slot, then the booking: the old time is given away before the booking has the new one. */
export async function moveAsBefore(live: LiveBooking, command: QueuedCommand & { kind: 'reschedule' }): Promise<void> {
  const { input, facts, saga } = live;
  const { bookingId } = input;
  const previousStart = facts.startsAt;
  const { by, scheduledAt } = command;
  const change = `reschedule-${command.number}`;
  try {
    await saga.step(`${change}/move-slot`, {
      do: (key) => move.moveSlot({ bookingId, start: scheduledAt, key }),
      undo: (act, key) => act.moveSlot({ bookingId, start: previousStart, key }),
      local: () => true,
    });
    await saga.step(`${change}/booking`, {
      do: (key) => local.rescheduleBooking({ bookingId, scheduledAt, by, key }),
      undo: (act, key) => act.rescheduleBooking({ bookingId, scheduledAt: previousStart, by, key }),
      local: () => true,
    });
  } catch (error) {
    const undoing = await saga.undo(MOVE_PATIENCE_MS);
    if (undoing && !patched(HEARS_WHILE_UNDOING)) await undoing.done;
    return command.refuse(isRefusal(error) ? codeOf(error) : 'upstream_unavailable');
  }
  haveMoved(live, command);
  command.accept();
}

/** Settles a cancel by the amounts that booking computed. `terms`: undefined when an operator accepted that there are none. */
export async function settleAsBefore(
  live: LiveBooking,
  paymentId: string,
  command: QueuedCommand & { kind: 'cancel' },
  terms: { refund: Money; retained: Money } | undefined,
): Promise<void> {
  const { input, saga } = live;
  const { bookingId } = input;
  const besideMoney = patched(MONEY_WAITS_FOR_NO_SLOT);
  // Recorded, because a local attempt would hold up the money.
  const released = saga.forward('release-slot', (act, key) => act.releaseSlot({ bookingId, key: undoKeyOf(key) }), {
    local: () => !besideMoney,
  });
  if (!besideMoney) await released;
  if (terms && terms.refund.amount > 0) await refund(terms.refund);
  if (besideMoney) await withPatience(released, RELEASE_PATIENCE_MS);
  command.accept();
  if (terms && terms.retained.amount > 0) {
    await releaseEarnings(live, paymentId, Date.now());
  }
  await released;
  notify(live, 'cancelled', terms ? { refund: terms.refund } : {});
  saga.tell(
    'Compensated',
    `${sessionOf(live)}. Cancelled by ${command.by}, refunded ${terms?.refund.amount ?? 0} ${terms?.refund.currency ?? ''}.`,
  );

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
}

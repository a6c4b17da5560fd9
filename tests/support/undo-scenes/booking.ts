import { uuidv7 } from '../../../platform/ids';
import { bookingContract as booking } from '../../../services/booking/contract';
import { paymentContract as payment } from '../../../services/payment/contract';
import { tutoringContract as tutoring } from '../../../services/tutoring/contract';
import { eur, inHours, person } from '../bookings';
import type { TestService } from '../service';
import { listedTutor } from '../tutors';
import { call, type Pair, succeed } from '../undo';
import { moneyLeft, refundOf } from '../undo-money';

export const PAIRS: Record<string, Pair> = {
  'booking: create': {
    step: booking.createPending,
    undo: booking.cancelPending,
    async prepare({ booking: service }) {
      const id = uuidv7();
      const { sql } = service.database;
      await sql`insert into booking_requests (id, student_id, tutor_id, subject, scheduled_at, duration_minutes)
        values (${id}, ${uuidv7()}, ${uuidv7()}, 'Maths', ${inHours(48)}, 60)`;
      const people = { student: person('Ada'), tutor: person('Grace') };
      return {
        service,
        key: `booking:${id}/create`,
        does: { params: { id }, body: { ...people, subject: 'Maths', price: eur(4500), instantBooking: true } },
        undoes: { params: { id }, body: { reason: 'slot_unavailable', noteId: null, cancelledBy: null } },
        left: async () => [
          ...(await sql`select status from bookings where id = ${id} and status <> 'cancelled'`),
          ...(await sql`select id from booking_requests where id = ${id} and settled_at is null`),
        ],
      };
    },
  },
  'booking: hold-slot': {
    step: tutoring.holdSlot,
    undo: tutoring.releaseSlot,
    async prepare({ tutoring: service }) {
      const { params, key, hold, left } = await slotOf(service);
      return { service, key: `${key}/hold-slot`, does: { params, body: hold }, undoes: { params }, left };
    },
  },
  'booking: block-slot': {
    step: tutoring.blockSlot,
    undo: tutoring.releaseSlot,
    async prepare({ tutoring: service }) {
      const { params, key, hold, left } = await slotOf(service);
      await succeed(call(service, tutoring.holdSlot, { params, body: hold }, `${key}/hold-slot`));
      return { service, key: `${key}/block-slot`, does: { params }, undoes: { params }, left };
    },
  },
  'booking: reserve the new time of a move': {
    step: tutoring.reserveSlot,
    undo: tutoring.unreserveSlot,
    async prepare({ tutoring: service }) {
      const { params, key, hold, left } = await slotOf(service);
      await succeed(call(service, tutoring.holdSlot, { params, body: hold }, `${key}/hold-slot`));
      const [session] = await left();
      return {
        service,
        key: `${key}/reschedule-1/reserve-slot`,
        does: { params, body: { start: inHours(49) } },
        undoes: { params },
        async left() {
          const kept = await left();
          expect(kept).toContainEqual(session);
          return kept.slice(1);
        },
      };
    },
  },
  'booking: authorize': chargeOf('manual'),
  'booking: take-payment, at once': chargeOf('automatic'),
  'booking: take-payment, asked for by the bank': chargeOf('automatic', 'pm_card_threeDSecure2Required'),
  'booking: take-payment, of what was authorised': {
    step: payment.capturePayment,
    undo: payment.settleBooking,
    async prepare(stack) {
      const { service, key, does, undoes, left } = await chargeOf('manual').prepare(stack);
      const { body } = await succeed(call(service, payment.chargeBooking, does, `${key}/authorize`));
      return { service, key: `${key}/capture`, does: { params: { id: body.paymentId } }, undoes, left };
    },
  },
  'booking: refund, settled by hand': {
    step: payment.createRefund,
    undo: payment.settleBookingByHand,
    async prepare(stack) {
      const { service, key, does, undoes } = await chargeOf('automatic').prepare(stack);
      const { body } = await succeed(call(service, payment.chargeBooking, does, key));
      return { service, key: `${key}/refund`, ...refundOf(service, body.paymentId, undoes.params) };
    },
  },
  'booking: share, settled by hand': {
    step: payment.refundShare,
    undo: payment.settlePaymentByHand,
    async prepare(stack) {
      const { service, key, does } = await chargeOf('automatic').prepare(stack);
      const { body } = await succeed(call(service, payment.chargeBooking, does, key));
      const params = { id: body.paymentId };
      const { undoes, left } = refundOf(service, body.paymentId, params);
      const share = { percent: 50, reason: 'Booking cancelled', requestedBy: null };
      const settled = { ...undoes, body: { as: 'waived', percent: 50 } };
      return { service, key: `${key}/refund`, does: { params, body: share }, undoes: settled, left };
    },
  },
};

export const FORWARD_ONLY: Record<string, string> = {
  internalRefuseBooking: 'final: it says that nothing was made',
  internalRecordPayment: 'a copy, which a higher version replaces',
  internalAwaitTutor: 'says whom the booking waits for, and the undo of the booking ends it',
  internalConfirmBooking: 'after the pivot',
  internalCancelConfirmedBooking: 'after the pivot, final',
  internalRecordRefund: 'a copy, which a higher version replaces',
  internalRescheduleBooking: 'its undo is a move back, under the undo’s key',
  internalCompleteBooking: 'after the pivot, final',
  extendSlot: 'moves the end of a hold, which the undo of the hold takes away',
  moveSlot: 'of sagas of before; its undo is a move back, under the undo’s key',
  keepSlot: 'follows the booking’s own move, which is done by then',
};

async function slotOf(service: TestService) {
  const tutor = await listedTutor(service);
  const bookingId = uuidv7();
  return {
    params: { bookingId },
    key: `booking:${bookingId}`,
    hold: { tutorId: tutor.id, start: inHours(48), durationMinutes: 60, expiresAt: inHours(1) },
    left: () =>
      service.database.sql`select during from slots where booking_id = ${bookingId} or reserved_by = ${bookingId}
        order by reserved_by nulls first`,
  };
}

function chargeOf(capture: 'manual' | 'automatic', paymentMethodId = 'pm_card_visa'): Pair {
  return {
    step: payment.chargeBooking,
    undo: payment.settleBooking,
    async prepare(stack) {
      const [bookingId, payerId, payeeId] = [uuidv7(), uuidv7(), uuidv7()];
      const params = { bookingId };
      const card = { amount: eur(4500), paymentMethodId, capture };
      return {
        service: stack.payment,
        key: `booking:${bookingId}/take-payment`,
        does: { params, body: { payerId, payeeId, ...card } },
        undoes: { params },
        left: () => moneyLeft(stack, bookingId, 'bookingId', payeeId),
      };
    },
  };
}

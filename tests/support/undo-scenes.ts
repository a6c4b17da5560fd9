import { moneyAtStripe } from '../../dev/chaos/stripe-state';
import type { Endpoint } from '../../platform/endpoint';
import { uuidv7 } from '../../platform/ids';
import { bookingContract as booking } from '../../services/booking/contract';
import { identityContract as identity } from '../../services/identity/contract';
import { storePendingUser } from '../../services/identity/store/sign-up';
import { notificationContract as notification } from '../../services/notification/contract';
import { requestPayment } from '../../services/payment/charges/store/requests';
import { paymentContract as payment } from '../../services/payment/contract';
import { tutoringContract as tutoring } from '../../services/tutoring/contract';
import { eur, inHours, person } from './bookings';
import type { SagaStack } from './saga-stack';
import type { Reply, TestService } from './service';
import { listedTutor } from './tutors';
import { newUser, uniqueEmail } from './users';

// Each step of a saga that can be taken back, with what takes it back, ready to be played in any order.

interface Asked {
  params?: Record<string, string>;
  body?: unknown;
}

/** A new thing, as it is before the step. */
export interface Scene {
  service: TestService;
  /** The step's key. */
  key: string;
  does: Asked;
  undoes: Asked;
  /** What is left of the step, to be empty once it is undone. */
  left(): Promise<unknown[]>;
}

/** A step and its undo. `step` is null where a person takes it, before there is a saga. */
export interface Pair {
  step: Endpoint | null;
  undo: Endpoint;
  prepare(stack: SagaStack): Promise<Scene>;
}

/** Calls an internal operation under `key`. */
export function call(
  service: TestService,
  operation: Endpoint,
  { params = {}, body }: Asked,
  key: string,
): Promise<Reply> {
  const path = operation.path.replaceAll(/\{(\w+)\}/g, (_, name) => String(params[name]));
  return service.internal(operation.method.toUpperCase(), path, { key, ...(body !== undefined && { body }) });
}

export const PAIRS: Record<string, Pair> = {
  'sign-up: registration': {
    step: null,
    undo: identity.removeUser,
    async prepare({ identity: service }) {
      const { id, db } = await registered(service);
      const left = () => db.sql`select id from users where id = ${id}`;
      return { service, key: `user:${id}/register`, does: {}, undoes: { params: { id } }, left };
    },
  },
  'sign-up: profile': {
    step: identity.createProfile,
    undo: identity.removeProfile,
    async prepare({ identity: service }) {
      const { id, db } = await registered(service);
      const left = () => db.sql`select user_id from user_profiles where user_id = ${id}`;
      return { service, key: `user:${id}/profile`, does: { params: { id } }, undoes: { params: { id } }, left };
    },
  },
  'sign-up: account of a student': accountOf('student'),
  'sign-up: account of a tutor': accountOf('tutor'),
  'sign-up: tutor': {
    step: tutoring.createTutor,
    undo: tutoring.removeTutor,
    async prepare({ tutoring: service }) {
      const userId = uuidv7();
      const { sql } = service.database;
      return {
        service,
        key: `user:${userId}/tutor`,
        does: { body: { userId, displayName: 'Tina', timeZone: 'UTC' } },
        undoes: { params: { id: userId } },
        left: async () => [
          ...(await sql`select id from tutor_profiles where id = ${userId}`),
          ...(await sql`select tutor_id from tutor_ratings where tutor_id = ${userId}`),
        ],
      };
    },
  },
  'sign-up: preferences': {
    step: notification.createPreferences,
    undo: notification.removePreferences,
    async prepare({ notification: service }) {
      const userId = uuidv7();
      const asked = { params: { userId } };
      const left = () => service.database.sql`select * from notification_preferences where user_id = ${userId}`;
      return { service, key: `user:${userId}/preferences`, does: asked, undoes: asked, left };
    },
  },
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
  'payment: charge': {
    step: payment.chargePayment,
    undo: payment.settlePayment,
    async prepare(stack) {
      const { service, key, params, left } = await directPayment(stack);
      return { service, key: `${key}/charge`, does: { params }, undoes: { params }, left };
    },
  },
  'payment: refund, settled by hand': {
    step: payment.createRefund,
    undo: payment.settlePaymentByHand,
    async prepare(stack) {
      const { service, key, params } = await directPayment(stack);
      await succeed(call(service, payment.chargePayment, { params }, `${key}/charge`));
      return { service, key: `${key}/refund`, ...refundOf(service, params.id, params) };
    },
  },
};

async function succeed(asked: Promise<Reply>): Promise<Reply> {
  const reply = await asked;
  if (reply.status >= 300) throw new Error(`the scene could not be set: ${JSON.stringify(reply.body)}`);
  return reply;
}

async function registered({ database: db }: TestService) {
  const { userId: id } = await storePendingUser(db.db, newUser(uniqueEmail()));
  return { id, db };
}

function accountOf(role: 'student' | 'tutor'): Pair {
  return {
    step: payment.createAccount,
    undo: payment.removeAccount,
    async prepare({ payment: service, atStripe }) {
      const userId = uuidv7();
      return {
        service,
        key: `user:${userId}/account`,
        does: { body: { userId, role, email: uniqueEmail(), name: 'Ada' } },
        undoes: { params: { userId } },
        async left() {
          const { customers, accounts } = await atStripe();
          const rows = service.database.sql`select stripe_id from stripe_accounts
            where user_id = ${userId} and stripe_id is not null`;
          const made = [...customers, ...accounts].filter(({ metadata }) => metadata.userId === userId);
          return [...made, ...(await rows)];
        },
      };
    },
  };
}

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

async function directPayment(stack: SagaStack) {
  const { payment: service } = stack;
  const [payerId, payeeId] = [uuidv7(), uuidv7()];
  const payee = { userId: payeeId, role: 'tutor', email: uniqueEmail(), name: 'Grace' };
  await succeed(call(service, payment.createAccount, { body: payee }, `user:${payeeId}/account`));
  const wanted = { payeeId, amount: eur(4500), paymentMethodId: 'pm_card_visa', description: 'Books' };
  const request = { owner: payerId, key: uuidv7(), fingerprint: 'wanted' };
  const { PLATFORM_FEE_PERCENT: feePercent, SETTLEMENT_CURRENCIES: settling } = service.config;
  const terms = { feePercent, settling };
  const { resourceId: id } = await requestPayment(service.database.db, request, payerId, wanted, terms);
  const left = () => moneyLeft(stack, id, 'paymentId', payeeId);
  return { service, key: `payment:${id}`, params: { id }, left };
}

/** What is taken or reserved at Stripe and was not given back, and what the books say of it. */
async function moneyLeft(
  { atStripe, payment: { database } }: SagaStack,
  id: string,
  of: 'bookingId' | 'paymentId',
  payeeId: string,
): Promise<unknown[]> {
  const { intents, captured, refunded, reserved } = moneyAtStripe(await atStripe(), id, of);
  const open = intents.filter((status) => status !== 'canceled' && status !== 'succeeded');
  const books = await database.sql`select account, sum(amount)::int as amount from ledger_entries
    where account like ${`%:${payeeId}`} group by account having sum(amount) <> 0`;
  return [...open, ...books, ...(captured === refunded && reserved === 0 ? [] : [{ captured, refunded, reserved }])];
}

function refundOf({ database: { sql } }: TestService, paymentId: string, params: Asked['params'] = {}) {
  return {
    does: { params: { id: paymentId }, body: { amount: null, reason: 'Booking cancelled', requestedBy: null } },
    undoes: { params, body: { as: 'waived' } },
    left: async () => [
      ...(await sql`select refund_pending from payments where id = ${paymentId} and refund_pending > 0`),
      ...(await sql`select status from refunds where payment_id = ${paymentId} and status = 'pending'`),
      ...(await sql`select sum(amount) from ledger_entries where account = ${`payer_owed:${paymentId}`} having sum(amount) <> 0`),
    ],
  };
}

import { createBookingActivities } from '../../../activities/booking';
import { createPaymentActivities } from '../../../activities/payment';
import { createRefundActivities } from '../../../activities/refund';
import { createUserCreationActivities } from '../../../activities/user-creation';
import { uuidv7 } from '../../../platform/ids';
import { storePendingUser } from '../../../services/identity/store/sign-up';
import { inHours } from '../bookings';
import type { StepPlay } from '../local-steps';
import type { SagaStack } from '../saga-stack';
import { ALWAYS, listedTutor } from '../tutors';
import { newUser, uniqueEmail } from '../users';

/** People sign up, book, pay, move, cancel and get their money back: by the steps of their sagas, the recorded ones too. */
export const play: StepPlay = async (stack, noted) => {
  const { clients, identity } = stack;
  const act = noted({
    ...createUserCreationActivities(clients),
    ...createBookingActivities(clients),
    ...createPaymentActivities(clients),
    ...createRefundActivities(clients),
  });
  const pending = async (role: 'student' | 'tutor') => {
    const { userId } = await storePendingUser(identity.database.db, { ...newUser(uniqueEmail()), role });
    await act.createProfile({ userId, key: `user:${userId}/profile` });
    await act.createPreferences({ userId, key: `user:${userId}/preferences` });
    return userId;
  };

  const gone = await pending('tutor');
  await act.createTutor({ userId: gone, key: `user:${gone}/tutor-profile` });
  await act.removePreferences({ userId: gone, key: `user:${gone}/preferences/undo` });
  await act.removeTutor({ userId: gone, key: `user:${gone}/tutor-profile/undo` });
  await act.removeProfile({ userId: gone, key: `user:${gone}/profile/undo` });
  await act.removeUser({ userId: gone, key: `user:${gone}/register/undo` });

  const student = await pending('student');
  await act.createAccount({ userId: student, role: 'student', key: `user:${student}/account` });
  await act.activateUser({ userId: student, key: `user:${student}/activate` });
  await act.sendWelcome({ userId: student, key: `user:${student}/welcome` }).catch(() => undefined);
  const tutor = await pending('tutor');
  await act.activateUser({ userId: tutor, key: `user:${tutor}/activate` });
  await listedTutor(stack.tutoring, { id: tutor, weekly: ALWAYS, hourly: 4_500 });

  const undone = await requested(stack, student, tutor, 96);
  await act.createBooking({ bookingId: undone, key: `booking:${undone}/create` });
  const ending = { reason: 'slot_unavailable', noteId: null, cancelledBy: null, unavailable: false } as const;
  await act.cancelBooking({ bookingId: undone, ...ending, key: `booking:${undone}/create/undo` });

  const bookingId = await requested(stack, student, tutor, 72);
  const step = (name: string) => ({ bookingId, key: `booking:${bookingId}/${name}` });
  const { price } = await act.createBooking(step('create'));
  const start = inHours(72);
  const expiresAt = inHours(2);
  await act.holdSlot({ ...step('hold-slot'), tutorId: tutor, start, durationMinutes: 60, expiresAt });
  const card = { paymentMethodId: 'pm_card_visa', awaitingUntil: inHours(1) };
  const payer = { payerId: student, payeeId: tutor, amount: price };
  const { paymentId } = await act.authorizePayment({ ...step('authorize'), ...payer, ...card });
  await act.extendHold({ ...step('extend-hold'), expiresAt: inHours(3) });
  await act.awaitTutor({ ...step('await-tutor'), respondBy: inHours(3) });
  await act.blockSlot(step('block-slot'));
  await act.capturePayment({ ...step('take-payment'), paymentId });
  await act.confirmBooking(step('confirm'));
  await act.notifyBooking({ ...step('confirmed'), notice: 'confirmed' }).catch(() => undefined);
  await act.notifyPayment({ paymentId, notice: 'paid', key: `payment:${paymentId}/paid` }).catch(() => undefined);
  const later = inHours(80);
  await act.moveSlot({ ...step('reschedule-1/move-slot'), start: later });
  await act.rescheduleBooking({ ...step('reschedule-1/booking'), scheduledAt: later, by: 'tutor' });
  const latest = inHours(82);
  await act.reserveSlot({ ...step('reschedule-2/reserve-slot'), start: latest });
  await act.unreserveSlot({ bookingId, key: `booking:${bookingId}/reschedule-2/reserve-slot/undo` });
  await act.reserveSlot({ ...step('reschedule-3/reserve-slot'), start: latest });
  await act.keepSlot({ ...step('reschedule-3/keep-slot'), start: latest });

  const requestedAt = new Date().toISOString();
  await act.cancelConfirmed({ ...step('cancel'), by: 'tutor', noteId: null, requestedAt });
  await act.releaseSlot({ bookingId, key: `booking:${bookingId}/release-slot/undo` });
  await act.refundShare({ paymentId, percent: 0, key: step('refund-share').key });
  const { refundId } = await act.createRefund({ paymentId, amount: price, key: step('refund').key });
  const refund = (name: string) => ({ refundId, key: `refund:${refundId}/${name}` });
  await act.submitRefund(refund('submit-1'));
  await act.recordRefund({ ...refund('record'), bookingId });
  await act.notifyRefund({ ...refund('succeeded-1'), bookingId }).catch(() => undefined);
  await act.notifyRefundReturned({ ...refund('returned-1'), bookingId }).catch(() => undefined);
  await act.notifyRefundWaits({ ...refund('waits-1'), bookingId }).catch(() => undefined);
  await act.closeRefund({ ...refund('close'), as: 'succeeded' });
};

async function requested(stack: SagaStack, student: string, tutor: string, hours: number): Promise<string> {
  const id = uuidv7();
  await stack.booking.database
    .sql`insert into booking_requests (id, student_id, tutor_id, subject, scheduled_at, duration_minutes)
    values (${id}, ${student}, ${tutor}, 'Mathematics', ${inHours(hours)}, 60)`;
  return id;
}

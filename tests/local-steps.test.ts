import { createBookingActivities } from '../activities/booking';
import { createPaymentActivities } from '../activities/payment';
import { createRefundActivities } from '../activities/refund';
import { createUserCreationActivities } from '../activities/user-creation';
import { type Endpoint, endpoint, type Vendor } from '../platform/endpoint';
import { uuidv7 } from '../platform/ids';
import { done } from '../platform/replies';
import { storePendingUser } from '../services/identity/store/sign-up';
import { createMailer } from '../services/notification/mailer';
import { inHours } from './support/bookings';
import { calledLocally, localSteps } from './support/local-steps';
import { startScriptedSmtp } from './support/mail';
import { type SagaStack, startSagaStack } from './support/saga-stack';
import { startTestService } from './support/service';
import { ALWAYS, listedTutor } from './support/tutors';
import { newUser, uniqueEmail } from './support/users';

// A local step holds a slot of its worker and the workflow task of its saga. So no vendor, who may hang, stands behind one.

jest.setTimeout(120_000);

/** What came of a step: the vendors that the operations it called may reach, and `failed` if one of them let it down. */
type Outcome = Vendor | 'failed';

const outcomes = new Map<string, Set<Outcome>>();
let stack: SagaStack;
beforeAll(async () => {
  stack = await startSagaStack();
  await playSagas();
});
afterAll(() => stack.close());

/** The activities, one after another; what came of each is noted. */
function noted<Activities extends object>(activities: Activities): Activities {
  return new Proxy(activities, {
    get(target, name, receiver) {
      const run: unknown = Reflect.get(target, name, receiver);
      if (typeof run !== 'function') return run;
      return async (input: unknown) => {
        const outcome = outcomes.get(String(name)) ?? new Set();
        outcomes.set(String(name), outcome);
        stack.called.length = 0;
        try {
          return await Reflect.apply(run, target, [input]);
        } catch (error) {
          outcome.add('failed');
          throw error;
        } finally {
          for (const { reaches = [] } of stack.called) for (const vendor of reaches) outcome.add(vendor);
        }
      };
    },
  });
}

/** People sign up, book, pay, move, cancel and get their money back: by the steps of their sagas, the recorded ones too. */
async function playSagas(): Promise<void> {
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

  const undone = await requested(student, tutor, 96);
  await act.createBooking({ bookingId: undone, key: `booking:${undone}/create` });
  const ending = { reason: 'slot_unavailable', noteId: null, cancelledBy: null, unavailable: false } as const;
  await act.cancelBooking({ bookingId: undone, ...ending, key: `booking:${undone}/create/undo` });

  const bookingId = await requested(student, tutor, 72);
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
  await act.closeRefund({ ...refund('close'), as: 'succeeded' });
}

async function requested(student: string, tutor: string, hours: number): Promise<string> {
  const id = uuidv7();
  await stack.booking.database
    .sql`insert into booking_requests (id, student_id, tutor_id, subject, scheduled_at, duration_minutes)
    values (${id}, ${student}, ${tutor}, 'Mathematics', ${inHours(hours)}, 60)`;
  return id;
}

/** Those of the steps that a vendor stands behind, or that do not work while one is away. */
const offenders = (steps: string[]) => steps.filter((step) => outcomes.get(step)?.size !== 0);

test('no vendor stands behind a step that runs as a local activity, and none fails while the mail server hangs', () => {
  expect(localSteps().length).toBeGreaterThan(15);
  expect(offenders(localSteps())).toEqual([]);
});

test('a step that reaches Stripe would be noticed, and one that was not played too', () => {
  const planted = calledLocally(`
    const local = proxyLocalActivities<PaymentActivities>(LOCAL_CALL);
    await saga.step('a', { do: (key) => local.submitRefund({ refundId, key }) });
    await local.closeRefund({ refundId });
    const tell = localFirst(proxyLocalActivities<Mail>(LOCAL_CALL).brandNew, late.brandNew);
    await saga.forward('refund', (act, key) => act.retryRefund({ refundId, key }), { local: true });`);
  expect(planted).toEqual(['brandNew', 'submitRefund', 'closeRefund', 'retryRefund']);
  expect(offenders(planted)).toEqual(['brandNew', 'submitRefund', 'retryRefund']);
  expect([...(outcomes.get('submitRefund') ?? [])]).toEqual(['stripe']);
});

test.each([
  'const { submitRefund } = proxyLocalActivities<A>(P);',
  'const act = proxyLocalActivities<A>(P); run(act);',
  "const act = proxyLocalActivities<A>(P); act['submitRefund']({});",
  'const act = proxyLocalActivities<A>(P); const { submitRefund } = act;',
])('workflow code that hides which local activities it calls is refused: %s', (code) => {
  expect(() => calledLocally(code)).toThrow();
});

test('an operation that delivers inline though its contract says nothing of it fails, and nothing is delivered', async () => {
  const smtp = await startScriptedSmtp();
  const inline: Endpoint = endpoint({
    method: 'post',
    path: '/internal/inline',
    operationId: 'deliverInline',
    summary: 'A notice that is sent before it is answered',
    access: 'service',
    replies: { 204: null },
  });
  const service = await startTestService({
    name: 'notification',
    contract: { inline },
    routes(routes) {
      const mailer = createMailer(smtp.url, 'no-reply@tutorconnect.example');
      routes.serve(inline, async () => {
        const words = { subject: 'Hello', html: '<p>Hello</p>', text: 'Hello', businessKey: 'k', date: new Date() };
        await mailer.send({ to: { name: 'Grace', address: 'grace@example.com' }, ...words });
        return done;
      });
      return Promise.resolve({ close: async () => mailer.close() });
    },
  });
  expect(await service.internal('POST', '/internal/inline', { body: {} })).toMatchObject({ status: 500 });
  expect(smtp.bodies).toEqual([]);
  await service.close();
  await smtp.close();
});

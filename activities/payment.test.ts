import { ProblemError } from '../kernel/errors';
import { uuidv7 } from '../platform/ids';
import { type Called, type StandIns, startStandIns } from '../tests/support/stand-ins';
import { createPaymentActivities, nameOf, type PaymentActivities } from './payment';

let services: StandIns;
let act: PaymentActivities;
beforeAll(async () => {
  services = await startStandIns();
  act = createPaymentActivities(services.clients);
});
afterAll(() => services.close());
beforeEach(() => services.forget());

const EUR = (amount: number) => ({ amount, currency: 'EUR' });
const [bookingId, paymentId, payerId, payeeId] = [uuidv7(), uuidv7(), uuidv7(), uuidv7()];
const awaitingUntil = '2030-01-01T10:15:00.000Z';
const key = `booking:${bookingId}/take-payment`;

const state = (status: string, more: object = {}) => ({
  ...{ paymentId, bookingId: bookingId as string | null, version: 3, status, amount: EUR(4500), captured: EUR(4500) },
  ...{ refunded: EUR(0), clientSecret: null as string | null, captureBefore: null, declineCode: null },
  ...more,
});
const summary = (status: string) => ({ paymentId, bookingId, status, version: 3, captureBefore: null });
const charge = { bookingId, payerId, payeeId, amount: EUR(4500), paymentMethodId: 'pm_card_visa', awaitingUntil, key };

const names = () => services.calls.map(({ operation }) => operation);
const one = (operation: string): Called | undefined => services.calls.find((call) => call.operation === operation);

describe('money for a booking', () => {
  test.each([
    ['authorizePayment', 'manual', 'authorized'],
    ['chargePayment', 'automatic', 'captured'],
  ] as const)('%s asks for %s capture and shows the booking what came of it', async (name, capture, status) => {
    services.answers.chargeBooking = state(status);
    expect(await act[name](charge)).toEqual(summary(status));
    expect(services.calls).toEqual([
      {
        operation: 'chargeBooking',
        path: `/internal/bookings/${bookingId}/payment`,
        key,
        body: { payerId, payeeId, amount: EUR(4500), paymentMethodId: 'pm_card_visa', capture },
      },
      {
        operation: 'internalRecordPayment',
        path: `/internal/bookings/${bookingId}/payment`,
        // One per version, so that a retry shows it again and harms nothing.
        key: `payment:${paymentId}/shown/3`,
        body: {
          payment: {
            ...{ id: paymentId, version: 3, status, amount: EUR(4500), captured: EUR(4500), refunded: EUR(0) },
            ...{ clientSecret: null, declineCode: null },
          },
          awaitingUntil: null,
        },
      },
    ]);
  });

  test('that needs 3-D Secure hands the client secret to the booking and never to the workflow', async () => {
    services.answers.chargeBooking = state('requires_action', { clientSecret: 'pi_1_secret_2' });
    const returned = await act.chargePayment(charge);
    expect(returned).toEqual(summary('requires_action'));
    expect(JSON.stringify(returned)).not.toContain('secret');
    expect(one('internalRecordPayment')?.body).toMatchObject({
      payment: { clientSecret: 'pi_1_secret_2' },
      awaitingUntil,
    });
  });

  test('that Stripe called invalid is answered as a fault of ours to the client that waits', async () => {
    services.answers.chargeBooking = new ProblemError('payment_rejected', undefined, { extras: { paymentId } });
    services.answers.getPaymentState = { ...state('failed'), payerId, payeeId };
    await expect(act.chargePayment(charge)).rejects.toMatchObject({ code: 'payment_rejected' });
    const refused = services.calls.at(-1);
    expect(names().slice(0, 3)).toEqual(['chargeBooking', 'getPaymentState', 'internalRecordPayment']);
    expect(refused).toMatchObject({ key: `${key}/refuse`, body: { code: 'payment_rejected' } });
  });

  test('that is declined shows the decline code on the booking before it fails', async () => {
    services.answers.chargeBooking = new ProblemError('payment_declined', undefined, { extras: { paymentId } });
    services.answers.getPaymentState = { ...state('failed', { declineCode: 'lost_card' }), payerId, payeeId };
    await expect(act.chargePayment(charge)).rejects.toMatchObject({ code: 'payment_declined' });
    expect(names()).toEqual(['chargeBooking', 'getPaymentState', 'internalRecordPayment']);
    expect(one('internalRecordPayment')?.body).toMatchObject({
      payment: { status: 'failed', declineCode: 'lost_card' },
    });
  });

  test('that fails without a payment shows nothing', async () => {
    services.answers.chargeBooking = new ProblemError('upstream_unavailable');
    await expect(act.authorizePayment(charge)).rejects.toMatchObject({ code: 'upstream_unavailable' });
    expect(names()).toEqual(['chargeBooking']);
  });

  test.each([
    ['capturePayment', 'capturePayment', 'captured'],
    ['refreshPayment', 'refreshPayment', 'authorized'],
    ['abandonPayment', 'abandonPayment', 'voided'],
  ] as const)('%s shows the booking what is true now', async (name, operation, status) => {
    services.answers[operation] = state(status);
    expect(await act[name]({ paymentId, bookingId, key, shownVersion: 2 })).toEqual(summary(status));
    expect(names()).toEqual([operation, 'internalRecordPayment']);
    expect(one(operation)?.path).toContain(paymentId);
  });

  test('a poll that finds nothing new writes nothing', async () => {
    services.answers.refreshPayment = state('requires_action');
    expect(await act.refreshPayment({ paymentId, bookingId, shownVersion: 3 })).toEqual(summary('requires_action'));
    expect(names()).toEqual(['refreshPayment']);
  });

  test('settled to zero shows what is left of it, and nothing when nothing was begun', async () => {
    services.answers.settleBooking = { payment: state('voided') };
    await act.settleToZero({ bookingId, key: `${key}/undo` });
    expect(one('settleBooking')?.key).toBe(`${key}/undo`);
    expect(names()).toEqual(['settleBooking', 'internalRecordPayment']);
    services.forget();
    services.answers.settleBooking = { payment: null };
    await act.settleToZero({ bookingId, key: `${key}/undo` });
    expect(names()).toEqual(['settleBooking']);
  });

  test('a refund of a booking is for an amount and by nobody in person', async () => {
    const refundId = uuidv7();
    services.answers.createRefund = {
      ...{ refundId, paymentId, bookingId, status: 'pending', tries: 1, amount: EUR(2250) },
      payment: state('captured'),
    };
    expect(await act.createRefund({ paymentId, amount: EUR(2250), key })).toEqual({ refundId });
    expect(one('createRefund')).toMatchObject({ key, body: { amount: EUR(2250), requestedBy: null } });
  });
});

describe('a share of a booking’s payment', () => {
  test.each([
    [50, uuidv7(), EUR(2250)],
    [0, null, EUR(0)],
  ])('of %i %% comes to a refund and its amount, or to nothing', async (percent, refundId, amount) => {
    services.answers.refundShare = { refundId, amount, retained: EUR(4500 - amount.amount) };
    expect(await act.refundShare({ paymentId, percent, key })).toEqual({ refundId, amount });
    expect(services.calls).toEqual([
      {
        operation: 'refundShare',
        path: `/internal/payments/${paymentId}/refund-share`,
        key,
        body: { percent, reason: 'Booking cancelled', requestedBy: null },
      },
    ]);
  });
});

test.each([undefined, 50])(
  'what an operator settled by hand is told with the share that was meant: %p',
  async (percent) => {
    const settled = { paymentId, as: 'waived' as const, key: `${key}/undo` as const };
    await act.settleByHand({ ...settled, ...(percent && { percent }) });
    expect(one('settlePaymentByHand')?.body).toEqual({ as: 'waived', ...(percent && { percent }) });
  },
);

describe('a direct payment', () => {
  const direct = (status: string) => state(status, { bookingId: null });

  test('has no booking to show it', async () => {
    services.answers.chargePayment = direct('captured');
    expect(await act.chargeDirectPayment({ paymentId, key })).toEqual({ ...summary('captured'), bookingId: null });
    services.answers.settlePayment = { payment: direct('refunded') };
    await act.settleDirectPayment({ paymentId, key: `${key}/undo` });
    expect(services.calls.map(({ operation, key }) => [operation, key])).toEqual([
      ['chargePayment', key],
      ['settlePayment', `${key}/undo`],
    ]);
  });

  test('releases its earnings', async () => {
    services.answers.releaseEarnings = { paymentId, released: EUR(3825) };
    expect(await act.releaseEarnings({ paymentId, key })).toBeUndefined();
    expect(one('releaseEarnings')).toMatchObject({ key, path: expect.stringContaining(paymentId) });
  });

  test('is told to payer and payee, each with a key of their own; its decline to the payer alone', async () => {
    services.answers.getPaymentState = { ...direct('captured'), payerId, payeeId };
    const person = (id: string, firstName: string) => ({
      ...{ id, firstName, lastName: 'King', timeZone: 'UTC', locale: 'en' },
    });
    services.answers.internalGetPeople = { first: person(payerId, 'Ada'), second: person(payeeId, 'Grace') };
    services.answers.recordNotification = { id: uuidv7(), status: 'pending' };
    const told = (template: string, recipientId: string, otherName: string) => ({
      ...{ template, recipientId, usefulUntil: null },
      data: { paymentId, bookingId: null, description: null, amount: expect.anything(), otherName },
    });
    await act.notifyPayment({ paymentId, notice: 'paid', key });
    const sent = services.calls.filter(({ operation }) => operation === 'recordNotification');
    expect(new Map(sent.map((call) => [call.key, call.body]))).toEqual(
      new Map([
        [`${key}/payer`, told('payment_receipt', payerId, 'Grace King')],
        [`${key}/payee`, told('payment_received', payeeId, 'Ada King')],
      ]),
    );
    services.calls.splice(0);
    await act.notifyPayment({ paymentId, notice: 'declined', key });
    expect(services.calls.filter(({ operation }) => operation === 'recordNotification')).toMatchObject([
      {
        key: `${key}/payer`,
        body: { template: 'payment_declined_student', recipientId: payerId, data: { amount: EUR(4500) } },
      },
    ]);
    expect(one('internalGetPeople')?.path).toBe(`/internal/people?first=${payerId}&second=${payeeId}`);
  });
});

test('a name that has but one part has no space around it', () => {
  expect(nameOf({ firstName: 'Madonna', lastName: '' })).toBe('Madonna');
});

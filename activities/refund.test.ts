import { uuidv7 } from '../platform/ids';
import { type StandIns, startStandIns } from '../tests/support/stand-ins';
import { createRefundActivities, type RefundActivities } from './refund';

let services: StandIns;
let act: RefundActivities;
beforeAll(async () => {
  services = await startStandIns();
  act = createRefundActivities(services.clients);
});
afterAll(() => services.close());
beforeEach(() => services.forget());

const EUR = (amount: number) => ({ amount, currency: 'EUR' });
const [refundId, paymentId, bookingId, payerId] = [uuidv7(), uuidv7(), uuidv7(), uuidv7()];
const key = `refund:${refundId}/step`;

const payment = {
  ...{ paymentId, bookingId, version: 7, status: 'partially_refunded', amount: EUR(4500), captured: EUR(4500) },
  ...{ refunded: EUR(2250), clientSecret: null, captureBefore: null, declineCode: null },
};
const refund = (status: string) => ({
  ...{ refundId, paymentId, bookingId, status, tries: 2, amount: EUR(2250), payment },
  ...{ owed: status !== 'succeeded', returned: status === 'failed' },
});

test.each(['succeeded', 'pending', 'failed'])('every question returns the state alone: %s', async (status) => {
  for (const operation of ['submitRefund', 'refreshRefund', 'retryRefund', 'closeRefund'])
    services.answers[operation] = refund(status);
  const summary = { status, version: 7, tries: 2, ...(status === 'failed' && { owed: true, returned: true }) };
  expect(await act.submitRefund({ refundId, key })).toEqual(summary);
  expect(await act.refreshRefund({ refundId })).toEqual(summary);
  expect(await act.retryRefund({ refundId, number: 2, key })).toEqual(summary);
  expect(await act.closeRefund({ refundId, as: 'succeeded', key })).toEqual(summary);
  const path = (what: string) => `/internal/refunds/${refundId}/${what}`;
  expect(services.calls).toEqual([
    { operation: 'submitRefund', path: path('submit'), key, body: undefined },
    { operation: 'refreshRefund', path: path('refresh'), key: undefined, body: undefined },
    { operation: 'retryRefund', path: path('retry'), key, body: { number: 2 } },
    { operation: 'closeRefund', path: path('close'), key, body: { as: 'succeeded' } },
  ]);
});

test.each([
  ['submitRefund', 'pending', true],
  ['refreshRefund', 'failed', true],
  ['refreshRefund', 'pending', false],
] as const)(
  '%s of a refund that is %s says that a bank has its money only where that is so: %s',
  async (name, status, disputed) => {
    services.answers[name] = { ...refund(status), disputed };
    const summary = await act[name]({ refundId, key });
    expect({ disputed: summary.disputed, said: 'disputed' in summary }).toEqual({
      disputed: disputed || undefined,
      said: disputed,
    });
  },
);

test('its booking is shown the payment as it is now, once per version', async () => {
  services.answers.getRefundState = refund('succeeded');
  await act.recordRefund({ refundId, bookingId, key });
  const { paymentId: id, bookingId: _b, captureBefore: _c, ...shown } = payment;
  expect(services.calls.at(-1)).toEqual({
    operation: 'internalRecordRefund',
    path: `/internal/bookings/${bookingId}/refunded`,
    key: `${key}/7`,
    body: { payment: { id, ...shown } },
  });
});

test.each([
  ['notifyRefund', 'refund_succeeded', bookingId],
  ['notifyRefund', 'refund_succeeded', null],
  ['notifyRefundReturned', 'refund_returned', bookingId],
] as const)('%s tells the payer the amount by %s (booking %s)', async (name, template, booking) => {
  services.answers.getRefundState = refund('succeeded');
  services.answers.getPaymentState = { ...payment, payerId, payeeId: uuidv7() };
  services.answers.recordNotification = { id: uuidv7(), status: 'pending' };
  await act[name]({ refundId, bookingId: booking, key });
  expect(services.calls.at(-1)).toMatchObject({ operation: 'recordNotification', key });
  expect(services.calls.at(-1)?.body).toEqual({
    ...{ template, recipientId: payerId, usefulUntil: null },
    data: { paymentId, bookingId: booking, amount: EUR(2250), description: null },
  });
});

test('payer and payee are told that it waits for a bank, each under a key of their own', async () => {
  const payeeId = uuidv7();
  services.answers.getRefundState = refund('pending');
  services.answers.getPaymentState = { ...payment, payerId, payeeId };
  services.answers.recordNotification = { id: uuidv7(), status: 'pending' };
  await act.notifyRefundWaits({ refundId, bookingId, key });
  const told = services.calls.filter(({ operation }) => operation === 'recordNotification');
  const says = (recipientId: string) => ({
    ...{ template: 'refund_waits', recipientId, usefulUntil: null },
    data: expect.objectContaining({ amount: EUR(2250) }),
  });
  expect(told.map(({ key: under, body }) => ({ under, body }))).toEqual(
    expect.arrayContaining([
      { under: `${key}/payer`, body: says(payerId) },
      { under: `${key}/payee`, body: says(payeeId) },
    ]),
  );
  expect(told).toHaveLength(2);
});

import { serviceTokens } from '../../platform/auth';
import { createServiceClient, type ServiceClient } from '../../platform/http-client';
import { uuidv7 } from '../../platform/ids';
import { EUR, newBooking, type PaymentStack, startPaymentStack } from '../../tests/support/payment';
import { createPaymentClient, type PaymentClient } from './client';

let stack: PaymentStack;
let http: ServiceClient;
let client: PaymentClient;
beforeAll(async () => {
  stack = await startPaymentStack();
  http = createServiceClient(stack.service.url, serviceTokens(stack.service.config.SERVICE_TOKEN_SECRET));
  client = createPaymentClient(http);
});
afterAll(async () => {
  await http.close();
  await stack.close();
});

test('a booking’s money from authorisation to the tutor, as the activities see it', async () => {
  const { bookingId, key, payerId, payeeId } = newBooking();
  const wanted = { payerId, payeeId, amount: EUR(4500), paymentMethodId: 'pm_card_visa', capture: 'manual' as const };
  const authorized = await client.chargeBooking(key, bookingId, wanted);
  const { paymentId } = authorized;
  expect(authorized).toMatchObject({ status: 'authorized', bookingId });
  expect((await client.capturePayment(`${key}/capture`, paymentId)).status).toBe('captured');
  expect((await client.refreshPayment(paymentId)).captured).toEqual(EUR(4500));
  expect(await client.getPayment(paymentId)).toMatchObject({ payerId, payeeId, status: 'captured' });

  const refund = await client.createRefund(`${key}/refund`, paymentId, {
    amount: EUR(500),
    reason: 'r',
    requestedBy: null,
  });
  expect((await client.submitRefund(`refund:${refund.refundId}/submit`, refund.refundId)).status).toBe('succeeded');
  expect((await client.refreshRefund(refund.refundId)).payment.refunded).toEqual(EUR(500));
  expect((await client.getRefund(refund.refundId)).status).toBe('succeeded');
  expect((await client.retryRefund(`refund:${refund.refundId}/submit-2`, refund.refundId, 2)).tries).toBe(1);
  const closed = await client.closeRefund(`refund:${refund.refundId}/close`, refund.refundId, 'succeeded');
  expect(closed.status).toBe('succeeded');
  expect(await client.releaseEarnings(`${key}/release`, paymentId)).toEqual({ paymentId, released: EUR(3400) });
});

test('the undos, as the activities see them', async () => {
  const { bookingId, key, payerId, payeeId } = newBooking();
  const wanted = {
    payerId,
    payeeId,
    amount: EUR(4500),
    paymentMethodId: 'pm_card_visa',
    capture: 'automatic' as const,
  };
  const { paymentId } = await client.chargeBooking(key, bookingId, wanted);
  expect((await client.abandonPayment(`${key}/abandon`, paymentId)).status).toBe('captured');
  expect((await client.settleBooking(`${key}/undo`, bookingId)).payment?.status).toBe('refunded');
  expect((await client.settlePayment(`${key}-direct/undo`, paymentId)).payment?.status).toBe('refunded');
  await expect(client.chargeBooking(key, bookingId, wanted)).rejects.toMatchObject({ code: 'undone' });
  await expect(client.chargePayment(`${key}-late`, paymentId)).rejects.toMatchObject({ code: 'undone' });
  expect(await client.settleBooking('none/undo', uuidv7())).toEqual({ payment: null });
});

test('accounts, and what a decline tells the activity', async () => {
  const userId = uuidv7();
  const account = { userId, role: 'student' as const, email: 'ada@example.org', name: 'Ada' };
  expect(await client.createAccount(`user:${userId}/account`, account)).toEqual({ userId });
  expect(await client.removeAccount(`user:${userId}/account/undo`, userId)).toEqual({ userId });
  const { bookingId, key, payerId, payeeId } = newBooking();
  const card = 'pm_card_visa_chargeDeclined';
  const wanted = { payerId, payeeId, amount: EUR(100), paymentMethodId: card, capture: 'automatic' as const };
  await expect(client.chargeBooking(key, bookingId, wanted)).rejects.toMatchObject({
    code: 'payment_declined',
    more: { extras: { declineCode: 'generic_decline', paymentId: expect.any(String) } },
  });
});

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
  const authorized = await client.chargeBooking(bookingId, wanted, key);
  const { paymentId } = authorized;
  expect(authorized).toMatchObject({ status: 'authorized', bookingId });
  expect((await client.capturePayment(paymentId, `${key}/capture`)).status).toBe('captured');
  expect((await client.refreshPayment(paymentId)).captured).toEqual(EUR(4500));
  expect(await client.getPayment(paymentId)).toMatchObject({ payerId, payeeId, status: 'captured' });

  const refund = await client.createRefund(
    paymentId,
    {
      amount: EUR(500),
      reason: 'r',
      requestedBy: null,
    },
    `${key}/refund`,
  );
  expect((await client.submitRefund(refund.refundId, `refund:${refund.refundId}/submit`)).status).toBe('succeeded');
  expect((await client.refreshRefund(refund.refundId)).payment.refunded).toEqual(EUR(500));
  expect((await client.getRefund(refund.refundId)).status).toBe('succeeded');
  expect((await client.retryRefund(refund.refundId, 2, `refund:${refund.refundId}/submit-2`)).tries).toBe(1);
  const closed = await client.closeRefund(refund.refundId, 'succeeded', `refund:${refund.refundId}/close`);
  expect(closed.status).toBe('succeeded');
  expect(await client.releaseEarnings(paymentId, '2026-01-01T00:00:00.000Z', `${key}/release`)).toEqual({
    paymentId,
    released: EUR(3400),
  });
  expect(await client.sweepEarnings()).toEqual({ released: 0, left: 0 });
  expect(await client.sweepPayouts()).toEqual({ asked: 0, returned: 0 });
  expect(await client.dueReceipts()).toEqual({ items: [{ paymentId, payerId, payeeId }] });
  const people = { payer: { name: 'Ada', emailName: 'ada' }, payee: null, locale: 'en' };
  expect(await client.issueReceipt(paymentId, people)).toEqual({ issued: true });
  expect(await client.issueCreditNotes()).toEqual({ issued: 1 });
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
  const { paymentId } = await client.chargeBooking(bookingId, wanted, key);
  expect((await client.abandonPayment(paymentId, `${key}/abandon`)).status).toBe('captured');
  expect((await client.settleBooking(bookingId, `${key}/undo`)).payment?.status).toBe('refunded');
  expect((await client.settlePayment(paymentId, `${key}-direct/undo`)).payment?.status).toBe('refunded');
  await expect(client.chargeBooking(bookingId, wanted, key)).rejects.toMatchObject({ code: 'undone' });
  await expect(client.chargePayment(paymentId, `${key}-late`)).rejects.toMatchObject({ code: 'undone' });
  expect(await client.settleBooking(uuidv7(), 'none/undo')).toEqual({ payment: null });
});

test('accounts, and what a decline tells the activity', async () => {
  const userId = uuidv7();
  const account = { userId, role: 'student' as const, email: 'ada@example.org', name: 'Ada' };
  expect(await client.createAccount(account, `user:${userId}/account`)).toEqual({ userId });
  expect(await client.removeAccount(userId, `user:${userId}/account/undo`)).toEqual({ userId });
  const { bookingId, key, payerId, payeeId } = newBooking();
  const card = 'pm_card_visa_chargeDeclined';
  const wanted = { payerId, payeeId, amount: EUR(100), paymentMethodId: card, capture: 'automatic' as const };
  await expect(client.chargeBooking(bookingId, wanted, key)).rejects.toMatchObject({
    code: 'payment_declined',
    more: { extras: { declineCode: 'generic_decline', paymentId: expect.any(String) } },
  });
});

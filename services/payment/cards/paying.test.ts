import { uuidv7 } from '../../../platform/ids';
import {
  type CardHolder,
  cardHolder,
  chargeBooking,
  chargesAt,
  EUR,
  newBooking,
  openAccount,
  type PaymentStack,
  startPaymentStack,
} from '../../../tests/support/payment';

jest.setTimeout(30_000);

let stack: PaymentStack;
let payee: string;
beforeAll(async () => {
  stack = await startPaymentStack({
    // What the saga of a direct payment does first.
    onStart: ({ workflowId }) =>
      void stack.post(`/payments/${workflowId.split(':')[1]}/charge`, `${workflowId}/charge`),
  });
  payee = uuidv7();
  await openAccount(stack, payee, 'tutor');
});
afterAll(() => stack.close());
afterEach(() => stack.noFaults());

const { intentsOf, expectLedgerIsStripes } = chargesAt(() => stack);

const bookingOf = ({ id }: { id: string }) => ({ ...newBooking(), payerId: id });

const pay = ({ token }: { token: string }, paymentMethodId: string) =>
  stack.service.ask('POST', '/api/payments', {
    token,
    key: uuidv7(),
    body: { payeeId: payee, amount: EUR(2000), paymentMethodId, description: 'Two books' },
  });

/** How a card is used: to book with, and to pay directly with. */
const USES = [
  ['a booking', (who: CardHolder, card: string) => chargeBooking(stack, bookingOf(who), { card })],
  ['a direct payment', pay],
] as const;

test('a saved card pays for booking after booking, and directly, as its customer’s', async () => {
  const student = await cardHolder(stack);
  const card = await student.save();
  for (const booking of [bookingOf(student), bookingOf(student)]) {
    expect(await chargeBooking(stack, booking, { card })).toMatchObject({ status: 200, body: { status: 'captured' } });
    expect(await intentsOf(booking)).toMatchObject([
      { status: 'succeeded', payment_method: card, customer: expect.stringMatching(/^cus_/), setup_future_usage: null },
    ]);
  }
  expect(await pay(student, card)).toMatchObject({ status: 201, body: { captured: EUR(2000) } });
  expect((await student.list()).body.items).toMatchObject([{ id: card }]);
  await expectLedgerIsStripes();
});

test.each(USES)('another’s saved card is declined for %s, with a customer of one’s own or without', async (_, use) => {
  const owner = await cardHolder(stack);
  const card = await owner.save();
  for (const isCustomer of [true, false]) {
    const stranger = await cardHolder(stack, { isCustomer });
    expect(await use(stranger, card)).toMatchObject({
      status: 402,
      body: { code: 'payment_declined', declineCode: 'payment_method_unusable' },
    });
  }
  const { payment_intents: intents } = await stack.state();
  expect(intents.filter(({ payment_method: used }: { payment_method: string }) => used === card)).toEqual([]);
});

test.each(USES)('a card that was removed is declined for %s', async (_, use) => {
  const student = await cardHolder(stack);
  const card = await student.save();
  expect((await student.remove(card)).status).toBe(204);
  expect(await use(student, card)).toMatchObject({
    status: 402,
    body: { code: 'payment_declined', declineCode: 'payment_method_unusable' },
  });
});

test('what a removed card has authorised is taken all the same, and given back to it', async () => {
  const student = await cardHolder(stack);
  const card = await student.save();
  const booking = bookingOf(student);
  const { body } = await chargeBooking(stack, booking, { card, capture: 'manual' });
  expect(body.status).toBe('authorized');
  expect((await student.remove(card)).status).toBe(204);

  const key = `booking:${booking.bookingId}`;
  const captured = await stack.post(`/payments/${body.paymentId}/capture`, `${key}/capture`);
  expect(captured).toMatchObject({ status: 200, body: { status: 'captured', captured: EUR(4500) } });
  const settled = await stack.post(`/bookings/${booking.bookingId}/payment/settle`, `${booking.key}/undo`);
  expect(settled).toMatchObject({ status: 200 });
  const { charges } = await stack.state();
  expect(charges.filter(({ payment_method: used }: { payment_method: string }) => used === card)).toMatchObject([
    { amount_captured: 4500, amount_refunded: 4500 },
  ]);
  await expectLedgerIsStripes();
});

test('a saved card whose bank wants 3-D Secure asks for it, and pays then', async () => {
  const student = await cardHolder(stack);
  const { clientSecret } = (await student.setUp()).body;
  const setup = String(clientSecret).split('_secret_')[0] ?? '';
  await stack.stripe.setupIntents.confirm(setup, { payment_method: 'pm_card_threeDSecure2Required' });
  expect((await student.list()).body.items).toEqual([]);
  await stack.control('POST', `/3ds/${setup}/complete`);
  const [saved] = (await student.list()).body.items;
  const booking = bookingOf(student);
  const { body } = await chargeBooking(stack, booking, { card: saved.id });
  expect(body).toMatchObject({ status: 'requires_action', clientSecret: expect.stringContaining('_secret_') });
  await chargesAt(() => stack).completeSecure(booking);
  expect((await stack.post(`/payments/${body.paymentId}/refresh`)).body.status).toBe('captured');
});

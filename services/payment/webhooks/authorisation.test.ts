import {
  type BookingCharge,
  chargeBooking,
  newBooking,
  type PaymentStack,
  settleBooking,
  startPaymentStack,
  until,
  webhooksAt,
} from '../../../tests/support/payment';

// Many of these race dozens of requests: on a busy machine that takes its time.
jest.setTimeout(30_000);

let stack: PaymentStack;
beforeAll(async () => {
  stack = await startPaymentStack();
  await stack.webhooksOn();
});
afterAll(() => stack.close());

const { quiet, intentOf, stateOf } = webhooksAt(() => stack);

const signalsOf = ({ bookingId }: BookingCharge) =>
  stack.signals.filter(({ workflowId }) => workflowId === `booking:${bookingId}`);

/** The version that it is told of counts once, by however many webhooks at once. */
async function expectTold(booking: BookingCharge & { paymentId: string }): Promise<void> {
  const { paymentId } = booking;
  const { version } = await stateOf(paymentId);
  const told = { workflowId: `booking:${booking.bookingId}`, name: 'paymentChanged', argument: { paymentId, version } };
  expect(new Set(signalsOf(booking).map((signal) => JSON.stringify(signal)))).toEqual(new Set([JSON.stringify(told)]));
}

/** Money that is reserved on a card while a tutor is asked, its webhooks already come. */
async function authorized() {
  const booking = newBooking();
  const { body } = await chargeBooking(stack, booking, { capture: 'manual' });
  expect(body.status).toBe('authorized');
  await quiet();
  return { ...booking, paymentId: String(body.paymentId), intent: await intentOf(booking) };
}

describe('while a tutor is asked, the booking’s saga is told', () => {
  test.each<[string, string, (intent: string) => Promise<unknown>]>([
    ['cancelled', 'voided', (intent) => stack.stripe.paymentIntents.cancel(intent)],
    ['captured', 'captured', (intent) => stack.stripe.paymentIntents.capture(intent)],
    [
      'captured in part',
      'captured',
      (intent) => stack.stripe.paymentIntents.capture(intent, { amount_to_capture: 1000 }),
    ],
  ])('that somebody %s its authorisation in Stripe’s dashboard', async (_, status, deed) => {
    const booking = await authorized();
    await deed(booking.intent);
    await until(async () => (await stateOf(booking.paymentId)).status === status);
    await quiet();
    await expectTold(booking);
  });

  test('that the bank has let it lapse', async () => {
    await stack.control('POST', '/settings', { captureWindowMs: 300 });
    const booking = await authorized();
    await stack.control('POST', '/settings', { captureWindowMs: 604_800_000 });
    await until(async () => (await stateOf(booking.paymentId)).status === 'voided');
    await until(() => signalsOf(booking).length > 0);
    await quiet();
    await expectTold(booking);
  });

  test.each<[string, (booking: BookingCharge & { paymentId: string }) => Promise<unknown>]>([
    ['authorised', () => Promise.resolve()],
    ['captured by the saga', ({ paymentId, key }) => stack.post(`/payments/${paymentId}/capture`, `${key}/capture`)],
    ['voided by the saga', (booking) => settleBooking(stack, booking)],
  ])('nothing when it is %s: it knows that from its own call', async (_, deed) => {
    const booking = await authorized();
    await deed(booking);
    await quiet();
    expect(signalsOf(booking)).toEqual([]);
  });

  test('nothing when a webhook of the saga’s own capture overtakes the capture’s answer', async () => {
    const booking = await authorized();
    await stack.fault({ kind: 'hang', ms: 400, when: 'after', match: { path: '/v1/payment_intents/*/capture' } });
    const capture = () => stack.post(`/payments/${booking.paymentId}/capture`, `${booking.key}/capture`);
    const answer = capture();
    await until(async () => (await stateOf(booking.paymentId)).status === 'captured');
    expect((await answer).body.status).toBe('captured');
    await quiet();
    expect(signalsOf(booking)).toEqual([]);
  });
});

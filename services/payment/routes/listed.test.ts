import { uuidv7 } from '../../../platform/ids';
import {
  chargeBooking,
  disputesAt,
  newBooking,
  type PaymentStack,
  startPaymentStack,
} from '../../../tests/support/payment';

let stack: PaymentStack;
beforeAll(async () => {
  stack = await startPaymentStack();
});
afterAll(() => stack.close());

const { disputed } = disputesAt(() => stack);

/** What somebody is listed of payments. */
async function listed(who: { id: string; role: 'student' | 'tutor' | 'admin' }, query = '') {
  const token = await stack.service.userToken(who);
  const { status, body } = await stack.service.ask('GET', `/api/payments${query}`, { token });
  expect(status).toBe(200);
  return { ids: body.items.map(({ id }: { id: string }) => id), ...body };
}

/** Somebody who pays and is paid, one after the other. */
async function scene() {
  const somebody = { id: uuidv7(), role: 'tutor' as const };
  const charged = async (change: object) => {
    const booking = { ...newBooking(), ...change };
    const { body } = await chargeBooking(stack, booking);
    return { id: String(body.paymentId), bookingId: booking.bookingId };
  };
  const [earned, paid, other] = [
    await charged({ payeeId: somebody.id }),
    await charged({ payerId: somebody.id }),
    await charged({ payeeId: somebody.id }),
  ];
  return { somebody, earned, paid, other };
}

test('somebody sees payments by them and to them, the newest first, by role and by booking', async () => {
  const { somebody, earned, paid, other } = await scene();
  expect((await listed(somebody)).ids).toEqual([other.id, paid.id, earned.id]);
  expect((await listed(somebody, '?role=payee')).ids).toEqual([other.id, earned.id]);
  expect((await listed(somebody, '?role=payer')).ids).toEqual([paid.id]);
  expect((await listed(somebody, `?bookingId=${earned.bookingId}`)).ids).toEqual([earned.id]);
  expect((await listed(somebody, `?role=payer&bookingId=${earned.bookingId}`)).ids).toEqual([]);
  expect((await listed({ id: uuidv7(), role: 'student' })).ids).toEqual([]);
});

test('page by page, each payment once, with its latest dispute', async () => {
  const { somebody, earned, paid, other } = await scene();
  const { id } = await disputed({ paymentId: earned.id });
  const first = await listed(somebody, '?limit=2');
  const second = await listed(somebody, `?limit=2&cursor=${first.nextCursor}`);
  expect([first.ids, second.ids, second.nextCursor]).toEqual([[other.id, paid.id], [earned.id], null]);
  expect([first.items[0].dispute, second.items[0].dispute]).toEqual([null, expect.objectContaining({ id })]);
});

test('an administrator sees everybody’s, and their own when they ask as what', async () => {
  const { earned } = await scene();
  const admin = { id: uuidv7(), role: 'admin' as const };
  expect((await listed(admin, `?bookingId=${earned.bookingId}`)).ids).toEqual([earned.id]);
  expect((await listed(admin, '?role=payee')).ids).toEqual([]);
});

test('another list’s cursor is refused, and so is a role that nobody has', async () => {
  const token = await stack.service.userToken({ id: uuidv7(), role: 'student' });
  for (const query of ['?cursor=abc', '?role=owner', '?bookingId=1'])
    expect((await stack.service.ask('GET', `/api/payments${query}`, { token })).status).toBe(422);
});

import { reachable } from '../../../kernel/transitions';
import { maySee, PAYMENT_TRANSITIONS } from '../charges/rules';
import { mayRefund, REFUND_TRANSITIONS, refundAmount, refundable, refundStatusAfter, shareOf, toSettle } from './rules';

const EUR = (amount: number) => ({ amount, currency: 'EUR' });

test('every state of a payment and of a refund can be reached', () => {
  expect([...reachable(PAYMENT_TRANSITIONS, 'pending')].sort()).toEqual(Object.keys(PAYMENT_TRANSITIONS).sort());
  expect([...reachable(REFUND_TRANSITIONS, 'pending')].sort()).toEqual(Object.keys(REFUND_TRANSITIONS).sort());
});

test.each([
  ['pending', 'succeeded', 'succeeded'],
  ['pending', 'failed', 'failed'],
  ['succeeded', 'failed', 'failed'],
  ['succeeded', 'pending', 'succeeded'],
  ['failed', 'pending', 'failed'],
  ['failed', 'succeeded', 'failed'],
] as const)('a refund that is %s and of which Stripe says %s is %s', (now, said, then) => {
  expect(refundStatusAfter(now, said)).toBe(then);
});

test.each([
  ['all of it', { captured: 100, refunded: 0, refundPending: 0, chargedBack: 0 }, [], 100],
  ['what is left', { captured: 100, refunded: 30, refundPending: 20, chargedBack: 0 }, [], 50],
  [
    'nothing beside a failed one',
    { captured: 100, refunded: 0, refundPending: 0, chargedBack: 0 },
    [{ amount: 100 }],
    0,
  ],
  [
    'what failed ones do not owe',
    { captured: 100, refunded: 10, refundPending: 0, chargedBack: 0 },
    [{ amount: 30 }, { amount: 40 }],
    20,
  ],
  [
    'nothing when others used what failed',
    { captured: 100, refunded: 60, refundPending: 0, chargedBack: 0 },
    [{ amount: 80 }],
    0,
  ],
])('a settlement to zero has yet to refund %s', (_, payment, failed, left) => {
  expect(toSettle(payment, failed)).toBe(left);
});

test.each([
  [EUR(60), 60],
  [EUR(61), 'refund_exceeds_payment'],
  [null, 60],
  [{ amount: 10, currency: 'USD' }, expect.objectContaining({ path: 'amount.currency' })],
])('of 100 taken, 30 refunded and 10 under way, a refund of %j is %p', (asked, expected) => {
  expect(
    refundAmount({ currency: 'EUR', captured: 100, refunded: 30, refundPending: 10, chargedBack: 0 }, asked),
  ).toEqual(expected);
});

test('a refund and a share are amounts that Stripe makes, or all that is left', () => {
  const payment = { currency: 'KWD', captured: 4_510, refunded: 0, refundPending: 1_505, chargedBack: 0 };
  const asked = (amount: number) => refundAmount(payment, { amount, currency: 'KWD' });
  expect(asked(1_500)).toBe(1_500);
  expect(asked(1_501)).toMatchObject({ path: 'amount.amount' });
  // Such as a hand in Stripe's dashboard leaves.
  expect([asked(3_005), refundAmount(payment, null)]).toEqual([3_005, 3_005]);
  expect([0, 1, 33, 50, 100].map((percent) => shareOf(payment, percent))).toEqual([0, 40, 1_000, 1_510, 3_005]);
});

test('nothing can be refunded twice, before it was taken, or below zero', () => {
  expect(refundAmount({ currency: 'EUR', captured: 100, refunded: 100, refundPending: 0, chargedBack: 0 }, null)).toBe(
    'refund_exceeds_payment',
  );
  expect(refundAmount({ currency: 'EUR', captured: 0, refunded: 0, refundPending: 0, chargedBack: 0 }, null)).toBe(
    'invalid_state',
  );
  expect(refundable({ captured: 100, refunded: 50, refundPending: 60, chargedBack: 0 })).toBe(0);
});

test('payer, payee and admins see a payment; payee and admins give it back', () => {
  const payment = { payerId: 'payer', payeeId: 'payee' };
  const see = (id: string, role = 'student') => [maySee(payment, { id, role }), mayRefund(payment, { id, role })];
  expect(see('payer')).toEqual([true, false]);
  expect(see('payee', 'tutor')).toEqual([true, true]);
  expect(see('other', 'tutor')).toEqual([false, false]);
  expect(see('other', 'admin')).toEqual([true, true]);
});

import type { PaymentStatus } from '../../../kernel/statuses';
import { reachable } from '../../../kernel/transitions';
import {
  bookingIdOf,
  isCancellable,
  isDecided,
  isOpenDecline,
  nextStatus,
  ownerOf,
  PAYMENT_TRANSITIONS,
  platformFee,
  shownAtStripe,
  stateOf,
  statusOfCaptured,
} from './rules';

test('nothing leads out of failed and voided, nor from taken money back to none', () => {
  expect([...reachable(PAYMENT_TRANSITIONS, 'failed'), ...reachable(PAYMENT_TRANSITIONS, 'voided')]).toEqual([
    'failed',
    'voided',
  ]);
  expect([...reachable(PAYMENT_TRANSITIONS, 'captured')].sort()).toEqual([
    'captured',
    'partially_refunded',
    'refunded',
  ]);
});

test.each([
  [4500, 15, 675],
  [1001, 15, 150],
  [1003, 15, 150], // 150.45
  [10, 15, 2], // 1.5: a half rounds up
  [3, 15, 0],
  [4500, 0, 0],
  [4500, 100, 4500],
  [10_000, 2.55, 255],
  [333, 12.34, 41],
])('the platform’s share of %i at %d %% is %i', (amount, percent, fee) => {
  expect(platformFee({ amount, currency: 'EUR' }, percent)).toBe(fee);
});

test('the platform’s share is an amount that Stripe could transfer', () => {
  expect(platformFee({ amount: 4_500, currency: 'KWD' }, 15)).toBe(680); // 675
  expect(platformFee({ amount: 450_000, currency: 'MGA' }, 15)).toBe(67_500);
  expect(platformFee({ amount: 4_501, currency: 'ISK' }, 15)).toBe(675); // 675.15
});

test.each<[string, PaymentStatus, string | null, string, string | null, PaymentStatus | null]>([
  ['3-D Secure is wanted', 'pending', null, 'requires_action', null, 'requires_action'],
  ['authorised', 'pending', null, 'requires_capture', null, 'authorized'],
  ['authorised after 3-D Secure', 'requires_action', null, 'requires_capture', null, 'authorized'],
  ['paid', 'requires_action', null, 'succeeded', null, 'captured'],
  ['captured', 'authorized', null, 'succeeded', null, 'captured'],
  ['cancelled while it waited', 'requires_action', null, 'canceled', null, 'voided'],
  ['cancelled after a decline', 'pending', null, 'canceled', 'lost_card', 'failed'],
  ['cancelled after a decline noted before', 'pending', 'lost_card', 'canceled', null, 'failed'],
  ['an authorisation that lapsed', 'authorized', null, 'canceled', 'lost_card', 'voided'],
  ['an answer from before the authorisation', 'authorized', null, 'requires_action', null, null],
  ['declined and still open', 'pending', null, 'requires_payment_method', 'lost_card', null],
  ['a bank that takes its time', 'pending', null, 'processing', null, null],
  ['money after the end', 'voided', null, 'succeeded', null, null],
])('%s', (_, status, declineCode, intent, intentDecline, next) => {
  const payment = { status, captured: 0, declineCode };
  expect(nextStatus(payment, { status: intent, declineCode: intentDecline })).toBe(next);
});

test('once the money is taken an intent moves nothing: refunds do', () => {
  for (const status of ['captured', 'partially_refunded', 'refunded'] as const)
    for (const intent of ['succeeded', 'requires_capture', 'canceled'])
      expect(
        nextStatus({ status, captured: 100, declineCode: null }, { status: intent, declineCode: null }),
      ).toBeNull();
});

test('an intent in the middle of its confirmation is undecided', () => {
  expect(isDecided({ status: 'requires_confirmation', declineCode: null })).toBe(false);
  expect(isDecided({ status: 'requires_payment_method', declineCode: null })).toBe(false);
  expect(isDecided({ status: 'requires_payment_method', declineCode: 'lost_card' })).toBe(true);
  for (const status of ['requires_action', 'requires_capture', 'processing', 'succeeded', 'canceled'])
    expect(isDecided({ status, declineCode: null })).toBe(true);
});

test('a declined intent is open until it is cancelled', () => {
  expect(isOpenDecline({ status: 'requires_payment_method', declineCode: 'lost_card' })).toBe(true);
  expect(isOpenDecline({ status: 'requires_payment_method', declineCode: null })).toBe(false);
  expect(isOpenDecline({ status: 'canceled', declineCode: 'lost_card' })).toBe(false);
  expect(
    ['requires_action', 'requires_capture', 'processing', 'succeeded', 'canceled'].map((status) =>
      isCancellable({ status }),
    ),
  ).toEqual([true, true, true, false, false]);
});

test('a payment is as refunded as its refunds make it', () => {
  expect(statusOfCaptured(100, 0)).toBe('captured');
  expect(statusOfCaptured(100, 1)).toBe('partially_refunded');
  expect(statusOfCaptured(100, 100)).toBe('refunded');
});

test('a payment belongs to its booking’s saga, or to its own', () => {
  expect(ownerOf({ kind: 'booking', id: 'b' })).toBe('booking:b');
  expect(ownerOf({ kind: 'direct', id: 'p' })).toBe('payment:p');
});

test.each([
  ['booking', { description: 'Tutoring session', metadata: { paymentId: 'p', bookingId: 's' } }],
  ['direct', { description: 'Direct payment', metadata: { paymentId: 'p' } }],
] as const)('Stripe is told of a payment of the kind %s what it was always told', (kind, told) => {
  expect(shownAtStripe('p', { kind, id: 's' })).toEqual(told);
});

test('a payment has a booking’s id only if it is for a booking', () => {
  expect(bookingIdOf({ subjectKind: 'booking', subjectId: 'b' })).toBe('b');
  expect(bookingIdOf({ subjectKind: 'direct', subjectId: 'p' })).toBeNull();
});

test('an authorisation of which Stripe does not say when it ends has no end that anybody could wait for', () => {
  const payment = {
    ...{
      id: 'p',
      subjectKind: 'direct' as const,
      subjectId: 'p',
      payerId: 'a',
      payeeId: 'b',
      status: 'authorized' as const,
      currency: 'EUR',
      amount: 1000,
    },
    ...{
      captured: 0,
      refunded: 0,
      refundPending: 0,
      disputed: 0,
      description: null,
      clientSecret: 'secret',
      declineCode: null,
    },
    ...{ version: 1, createdAt: new Date(0) },
  };
  expect(stateOf({ ...payment, captureBefore: null })).toMatchObject({ captureBefore: null, clientSecret: null });
  const captureBefore = new Date('2026-12-01T00:00:00Z');
  expect(stateOf({ ...payment, captureBefore }).captureBefore).toBe('2026-12-01T00:00:00.000Z');
});

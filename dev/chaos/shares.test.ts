import { UNCLAIMED } from './claims';
import type { Reply } from './client';
import type { BookingRecord, RefundRecord } from './records';
import { judgeShares, sharesOf, sumsGivenBack } from './shares';
import { bookingSchema, refundSchema } from './wire';

const EUR = (amount: number) => ({ amount, currency: 'EUR' });
const reply = (status: number, code?: string): Reply => ({ status, body: {}, code });
const somebody = { id: '', email: '', firstName: '', lastName: '', token: '', signedInAt: 0 };
const MINUTE = 60_000;

const record = (more: Partial<BookingRecord>): BookingRecord => ({
  plan: {
    ...{ kind: 'booking', number: 1, student: 0, tutor: 0, rivalOf: undefined, copies: 1, pauseMs: 0, givesUp: false },
    ...{ card: 'pm_card_visa', bank: 'none', declines: false, answer: 'confirm', studentCancels: 'confirmed' },
    ...{ tutorCancels: false, moves: [], refunds: [], timePasses: true, lapses: false, dispute: undefined },
    slot: { minutesAhead: 600, durationMinutes: 60, refundPercent: 50 },
  },
  student: { ...somebody, role: 'student' },
  tutor: { ...somebody, role: 'tutor' },
  ...{ tutorIsInstant: true, wanted: { byTutor: false, byStudent: false }, id: 'b', asked: reply(201) },
  ...{ askedAt: { from: 0, to: MINUTE }, aged: true, lapsed: false, cancels: [], moves: [], refunds: [] },
  ...{ cancelledAt: [{ by: 'student', at: { from: 2 * MINUTE, to: 3 * MINUTE } }], gaveUp: false, doubts: [] },
  ...more,
});

const booking = (captured: number, refunded: number, status = 'cancelled') =>
  bookingSchema.parse({
    ...{ id: 'b', status, statusReason: status === 'confirmed' ? null : 'cancelled_by_student', scheduledAt: '' },
    price: EUR(4_501),
    payment: { id: 'p', status: '', captured: EUR(captured), refunded: EUR(refunded) },
  });
const made = (amount: number) => refundSchema.parse({ id: 'r', status: 'succeeded', amount: EUR(amount) });
const byTutor = (amount: number, beside: boolean, answer = reply(201)): RefundRecord => ({
  ...{ by: 'tutor', amount, beside, reply: answer },
});
const inDashboard = (amount: number, beside: boolean): RefundRecord => ({
  ...{ by: 'dashboard', amount, beside, made: amount },
});

test.each([
  ['alone', { before: [], beside: [], perhaps: [] }, [2_251]],
  ['of what was left', { before: [1_000], beside: [], perhaps: [] }, [2_751]],
  ['beside another refund', { before: [], beside: [1_000], perhaps: [] }, [2_751, 3_251]],
  ['beside one that perhaps was made', { before: [], beside: [], perhaps: [1_000] }, [2_251, 2_751, 3_251]],
  ['beside one of everything', { before: [], beside: [4_501], perhaps: [] }, [4_501]],
  ['after one of everything', { before: [4_501], beside: [], perhaps: [] }, [4_501]],
])('a share %s gives back what it should in either order', (_, others, sums) => {
  expect(sumsGivenBack({ captured: 4_501, percent: 50, ...others })).toEqual(sums);
});

test.each([
  ['the tutor: all', record({}), 'tutor', [100]],
  ['a student, an hour after asking', record({}), 'student', [50]],
  ['a student, soon after asking', record({ aged: false }), 'student', [100]],
  [
    'a student, who may just have been in time',
    record({ aged: false, cancelledAt: [{ by: 'student', at: { from: 14 * MINUTE, to: 17 * MINUTE } }] }),
    'student',
    [100, 50],
  ],
  [
    'a student, a quarter of an hour later',
    record({ aged: false, cancelledAt: [{ by: 'student', at: { from: 17 * MINUTE, to: 18 * MINUTE } }] }),
    'student',
    [50],
  ],
] as const)('the share of %s', (_, told, by, shares) => {
  expect(sharesOf(told, by)).toEqual(shares);
});

const HALF = { refundPercent: 50, refunds: [made(1_000)], wasRefused: false, claimed: UNCLAIMED };

test('a partial refund beside a cancel is true in either order', () => {
  const told = record({ refunds: [byTutor(1_000, true)] });
  for (const refunded of [2_751, 3_251]) expect(judgeShares(told, booking(4_501, refunded), HALF)).toEqual([]);
});

test.each([
  ['the refund is missing', [byTutor(1_000, true)], 2_251, HALF],
  ['the share is missing', [byTutor(1_000, true)], 1_000, HALF],
  ['the share took no notice of what was given back before', [byTutor(1_000, false)], 3_251, HALF],
  ['the same of one in the dashboard', [inDashboard(1_000, false)], 3_251, { ...HALF, refunds: [] }],
  ['a refund was refused for no reason', [byTutor(1_000, false, reply(409, 'refund_exceeds_payment'))], 2_251, HALF],
  ['a refund was promised and is not there', [byTutor(1_000, true)], 2_751, { ...HALF, refunds: [] }],
] as const)('%s: found', (_, refunds, refunded, end) => {
  expect(judgeShares(record({ refunds: [...refunds] }), booking(4_501, refunded), end)).not.toEqual([]);
});

test('a refund for which a cancel has left too little may be refused', () => {
  const told = record({ refunds: [byTutor(4_501, true, reply(409, 'refund_exceeds_payment'))] });
  expect(judgeShares(told, booking(4_501, 2_251), { ...HALF, refunds: [] })).toEqual([]);
});

test('a refund in the dashboard stands in for one that Stripe had refused, and for no other', () => {
  const told = record({ refunds: [inDashboard(2_000, true)] });
  const end = { ...HALF, refunds: [] };
  expect(judgeShares(told, booking(4_501, 2_251), end)).not.toEqual([]);
  expect(judgeShares(told, booking(4_501, 2_251), { ...end, wasRefused: true })).toEqual([]);
  expect(judgeShares(told, booking(4_501, 1_999), { ...end, wasRefused: true })).not.toEqual([]);
});

test('a confirmed session has given back what its tutor gave back', () => {
  const told = record({ refunds: [byTutor(1_000, false)], cancelledAt: [] });
  const end = { ...HALF, refundPercent: null };
  expect(judgeShares(told, booking(4_501, 1_000, 'confirmed'), end)).toEqual([]);
  expect(judgeShares(told, booking(4_501, 0, 'confirmed'), end)).not.toEqual([]);
});

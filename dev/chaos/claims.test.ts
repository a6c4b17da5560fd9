import { type Claimed, UNCLAIMED } from './claims';
import type { Reply } from './client';
import type { BookingRecord, PaymentRecord, RefundRecord } from './records';
import { judgeShares } from './shares';
import { judgePayment } from './verdict';
import { bookingSchema, paymentSchema, refundSchema } from './wire';

// What a disputed payment has given back: the payer's bank has given a part of it, we the rest, or an operator has paid it elsewhere.

const EUR = (amount: number) => ({ amount, currency: 'EUR' });
const reply = (status: number, code?: string, body: unknown = {}): Reply => ({ status, code, body });
const somebody = { id: '', email: '', firstName: '', lastName: '', token: '', signedInAt: 0 };
const CARD = { card: 'pm_card_visa', bank: 'none', declines: false } as const;
const claimed = (more: Partial<Claimed>): Claimed => ({ ...UNCLAIMED, ...more });

const payment = (refunded: number) =>
  paymentSchema.parse({
    ...{ id: 'p', status: '', amount: EUR(1_000), captured: EUR(1_000) },
    ...{ refunded: EUR(refunded), refundPending: EUR(0) },
  });
const refund = (status: string, amount = 600) => refundSchema.parse({ id: 'r', status, amount: EUR(amount) });
const PROMISED = reply(201, undefined, refund('pending'));
const paid = (...replies: Reply[]): PaymentRecord => ({
  plan: { number: 1, student: 0, amount: 1_000, pauseMs: 0, ...CARD },
  student: { ...somebody, role: 'student' },
  tutor: { ...somebody, role: 'tutor' },
  ...{ id: 'p', asked: reply(201, undefined, payment(0)), gaveUp: false, doubtful: [] },
  refunds: replies.map((answer) => ({ amount: 600, reply: answer })),
});
const TAKEN = { taken: 1_000, chargedBack: 1_000 };

test.each([
  ['all was lost', paid(), 0, [], TAKEN],
  ['a refund was promised, and the bank gave it back instead', paid(PROMISED), 0, [refund('failed')], TAKEN],
  [
    'a refund was promised, of which the bank gave a part',
    paid(PROMISED),
    200,
    [refund('succeeded', 200)],
    { taken: 400, chargedBack: 400 },
  ],
  [
    'the bank gave a part, and an operator has paid the rest elsewhere',
    paid(PROMISED),
    0,
    [refund('failed', 200)],
    { taken: 400, chargedBack: 400, givenUp: 200 },
  ],
  ['it was won', paid(PROMISED), 600, [refund('succeeded')], { taken: 1_000 }],
  ['a refund was refused meanwhile', paid(reply(409, 'payment_disputed')), 0, [], TAKEN],
  ['too little was left of it for a refund', paid(reply(409, 'refund_exceeds_payment')), 0, [], TAKEN],
] as const)('a disputed payment is judged with what its bank gave back: %s', (_, told, refunded, refunds, more) => {
  expect(judgePayment(told, payment(refunded), [...refunds], claimed(more))).toEqual([]);
});

test.each([
  ['a promised refund was not made, and the dispute was won', paid(PROMISED), 0, [refund('failed')], { taken: 1_000 }],
  ['the bank gave less than was promised', paid(PROMISED), 0, [refund('failed')], { taken: 400, chargedBack: 400 }],
  ['both have given back all', paid(PROMISED), 600, [refund('succeeded')], TAKEN],
  ['a promised refund is gone', paid(PROMISED), 600, [], { taken: 1_000 }],
  ['a refund was refused for a dispute that never was', paid(reply(409, 'payment_disputed')), 0, [], {}],
] as const)('found: %s', (_, told, refunded, refunds, more) => {
  expect(judgePayment(told, payment(refunded), [...refunds], claimed(more))).not.toEqual([]);
});

const cancelled = (...refunds: RefundRecord[]): BookingRecord => ({
  plan: {
    ...{ kind: 'booking', number: 1, student: 0, tutor: 0, rivalOf: undefined, copies: 1, pauseMs: 0, givesUp: false },
    ...{ ...CARD, answer: 'confirm', studentCancels: 'confirmed', tutorCancels: false, moves: [], refunds: [] },
    ...{ timePasses: true, lapses: false, dispute: undefined },
    slot: { minutesAhead: 600, durationMinutes: 60, refundPercent: 50 },
  },
  student: { ...somebody, role: 'student' },
  tutor: { ...somebody, role: 'tutor' },
  ...{ tutorIsInstant: true, wanted: { byTutor: false, byStudent: false }, id: 'b', asked: reply(201) },
  ...{ askedAt: { from: 0, to: 1 }, aged: true, lapsed: false, cancels: [], moves: [], refunds },
  ...{ cancelledAt: [{ by: 'student', at: { from: 2, to: 3 } }], gaveUp: false, doubts: [] },
});
const byTutor = (amount: number, answer = reply(201)): RefundRecord => ({
  ...{ by: 'tutor', amount, beside: false, reply: answer },
});
const booking = (refunded: number) =>
  bookingSchema.parse({
    ...{ id: 'b', status: 'cancelled', statusReason: 'cancelled_by_student', scheduledAt: '', price: EUR(1_000) },
    payment: { id: 'p', status: '', captured: EUR(1_000), refunded: EUR(refunded) },
  });
/** A cancel has given back half. */
const half = (more: Partial<Claimed>) => ({
  ...{ refundPercent: 50, refunds: [], wasRefused: false },
  claimed: claimed(more),
});

test.each([
  ['before the cancel, which gives half of what was left', cancelled(), 300, { taken: 400, chargedBack: 400 }],
  ['after the cancel', cancelled(), 500, { taken: 400, chargedBack: 400 }],
  ['instead of what the cancel gives', cancelled(), 100, { taken: 400, chargedBack: 400 }],
  ['and an operator paid the share elsewhere', cancelled(), 0, { taken: 400, chargedBack: 400, givenUp: 300 }],
  ['and it came back after a cancel of what was left', cancelled(), 300, { taken: 400, wonLate: true }],
  ['and it was won', cancelled(), 500, { taken: 1_000 }],
  ['beside a refund', cancelled(byTutor(200)), 200, { taken: 1_000, chargedBack: 800 }],
  [
    'and a refund was refused meanwhile',
    cancelled(byTutor(200, reply(409, 'payment_disputed'))),
    500,
    { taken: 1_000 },
  ],
] as const)('a share of a disputed payment may be what it is: the bank took it %s', (_, told, refunded, more) => {
  expect(judgeShares(told, booking(refunded), half(more))).toEqual([]);
});

test.each([
  ['less than the share is back', cancelled(), 0, { taken: 400, chargedBack: 400 }],
  ['the share is missing, and the dispute was won', cancelled(), 300, { taken: 400 }],
  ['more is back than the share and what the bank took', cancelled(), 501, { taken: 400, chargedBack: 400 }],
  ['a refund was refused for a dispute that never was', cancelled(byTutor(1, reply(409, 'payment_disputed'))), 500, {}],
] as const)('found, of a share: %s', (_, told, refunded, more) => {
  expect(judgeShares(told, booking(refunded), half(more))).not.toEqual([]);
});

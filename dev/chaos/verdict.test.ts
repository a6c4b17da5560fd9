import { MINUTE } from '../../kernel/time';
import { UNCLAIMED } from './claims';
import type { Reply } from './client';
import type { BookingPlan, PaymentPlan } from './plan';
import type { BookingRecord, MoveRecord, PaymentRecord } from './records';
import { isOneOfMany, judgeBooking, judgePayment } from './verdict';
import { type BookingView, bookingSchema, paymentSchema, refundSchema } from './wire';

const EUR = (amount: number) => ({ amount, currency: 'EUR' });
const person = (id: string, role: 'student' | 'tutor') => ({
  id,
  role,
  email: `${id}@chaos.example`,
  firstName: id,
  lastName: id,
  token: '',
  signedInAt: 0,
});
const PEOPLE = { student: person('s', 'student'), tutor: person('t', 'tutor') };
const AT = '2030-01-01T10:00:00.000Z';
const LATER = '2030-01-02T10:00:00.000Z';

const PLAN: BookingPlan = {
  kind: 'booking',
  number: 1,
  student: 0,
  tutor: 0,
  rivalOf: undefined,
  copies: 1,
  pauseMs: 0,
  givesUp: false,
  card: 'pm_card_visa',
  bank: 'none',
  declines: false,
  answer: 'confirm',
  studentCancels: 'never',
  tutorCancels: false,
  moves: [],
  refunds: [],
  timePasses: true,
  lapses: false,
  dispute: undefined,
  slot: { minutesAhead: 600, durationMinutes: 60, refundPercent: 50 },
};

const view = (status: string, statusReason: string | null, captured = 0, refunded = 0, scheduledAt = AT) =>
  bookingSchema.parse({
    id: 'b',
    status,
    statusReason,
    scheduledAt,
    price: EUR(4_501),
    payment: { id: 'p', status: '', captured: EUR(captured), refunded: EUR(refunded) },
  });
const reply = (status: number, body: unknown = {}, code?: string): Reply => ({ status, body, code });
const CONFIRMED = view('confirmed', null, 4_501);
const AWAITS_TUTOR = view('pending', 'awaiting_tutor');

const NOBODY = { byTutor: false, byStudent: false };
/** Somebody else may have the time too. */
const CONTESTED = { byTutor: true, byStudent: false };

const record = (more: Partial<BookingRecord>): BookingRecord => ({
  plan: PLAN,
  ...PEOPLE,
  tutorIsInstant: true,
  wanted: NOBODY,
  id: 'b',
  asked: reply(201, CONFIRMED),
  askedAt: { from: 0, to: 1 },
  aged: true,
  lapsed: false,
  cancels: [],
  cancelledAt: [],
  moves: [],
  refunds: [],
  gaveUp: false,
  doubts: [],
  ...more,
});
/** How a booking ended whose cancel has given back `refundPercent`; null: it was not cancelled after the payment. */
const ended = (booking: BookingView | undefined, refundPercent: number | null = null, isOneOfMany = false) => ({
  booking,
  isOneOfMany,
  refundPercent,
  refunds: [],
  wasRefused: false,
  claimed: UNCLAIMED,
});
const AT_ONCE = { from: 2, to: 3 };
const studentCancels = (answer: Reply, more: Partial<BookingRecord> = {}) =>
  record({
    cancels: [{ by: 'student', reply: answer }],
    cancelledAt: [{ by: 'student', at: AT_ONCE }],
    ...more,
  });
const HALF_KEPT = view('cancelled', 'cancelled_by_student', 4_501, 2_251);
const ALL_BACK = view('refunded', 'cancelled_by_student', 4_501, 4_501);
const moved = (by: MoveRecord['by'], answer: Reply, wanted = NOBODY): MoveRecord => ({
  ...{ by, to: LATER, refundPercent: 50, wanted, reply: answer },
});

test('what was told and is so is no violation', () => {
  expect(judgeBooking(record({}), ended(CONFIRMED))).toEqual([]);
  expect(judgeBooking(studentCancels(reply(200, HALF_KEPT)), ended(HALF_KEPT, 50))).toEqual([]);
  const contested = record({ wanted: CONTESTED, asked: reply(409, {}, 'slot_unavailable') });
  expect(judgeBooking(contested, ended(view('cancelled', 'slot_unavailable')))).toEqual([]);
  const meetsOwn = record({ wanted: { byTutor: false, byStudent: true }, asked: reply(409, {}, 'conflict') });
  expect(judgeBooking(meetsOwn, ended(view('cancelled', null)))).toEqual([]);
});

test('a booking is refused as one too many only of a student who asked for others', () => {
  const refused = record({ asked: reply(409, {}, 'too_many_pending') });
  expect(judgeBooking(refused, ended(view('cancelled', null), null, true))).toEqual([]);
  expect(judgeBooking(refused, ended(view('cancelled', null)))).not.toEqual([]);
  expect(judgeBooking(refused, ended(CONFIRMED, null, true))).not.toEqual([]);
  const late = record({ asked: reply(202, view('pending', null)) });
  expect(judgeBooking(late, ended(view('cancelled', null), null, true))).toEqual([]);
  expect(judgeBooking(late, ended(view('cancelled', null)))).not.toEqual([]);
});

test('of those that were asked for until it was decided, which may be after the answer', () => {
  const asked = (from: number) => ({ askedAt: { from, to: from + 1 } });
  const others = [asked(0), asked(5), asked(20)];
  expect(isOneOfMany(asked(10), others, undefined)).toBe(false);
  expect(isOneOfMany(asked(30), others, undefined)).toBe(true);
  expect(isOneOfMany(asked(10), others, { updatedAt: '1970-01-01T00:00:00.020Z' })).toBe(false);
  expect(isOneOfMany(asked(10), others, { updatedAt: '1970-01-01T00:00:00.021Z' })).toBe(true);
});

test.each([
  ['a booking that was answered 201 is gone', record({}), undefined, null],
  ['a confirmed booking ended though nobody ended it', record({}), view('cancelled', 'payment_declined'), null],
  ['a confirmed booking waits again', record({}), view('pending', 'awaiting_tutor'), null],
  ['a confirmed booking gave money back', record({}), view('confirmed', null, 4_501, 1), null],
  ['a cancel was answered 200 and the booking stays', studentCancels(reply(200, HALF_KEPT)), CONFIRMED, null],
  [
    'a cancel gave back a cent too little',
    studentCancels(reply(200, HALF_KEPT)),
    view('cancelled', 'cancelled_by_student', 4_501, 2_250),
    50,
  ],
  ['a cancel gave back all', studentCancels(reply(200, HALF_KEPT)), ALL_BACK, 50],
  ['the terms gave all, and should half', studentCancels(reply(200, ALL_BACK)), ALL_BACK, 100],
  [
    'everything is back, and it is not shown as refunded',
    studentCancels(reply(200, ALL_BACK), { aged: false }),
    view('cancelled', 'cancelled_by_student', 4_501, 4_501),
    100,
  ],
  ['a cancel was refused for no reason', studentCancels(reply(409, {}, 'invalid_state')), CONFIRMED, null],
  [
    'a confirmed booking was undone as if it had not been',
    studentCancels(reply(200, ALL_BACK)),
    view('cancelled', 'cancelled_by_student'),
    null,
  ],
  [
    'a free slot was refused',
    record({ asked: reply(409, {}, 'slot_unavailable') }),
    view('cancelled', 'slot_unavailable'),
    null,
  ],
  [
    'a student without another session was told of one',
    record({ wanted: CONTESTED, asked: reply(409, {}, 'conflict') }),
    view('cancelled', null),
    null,
  ],
  [
    'a good card was declined',
    record({ asked: reply(402, {}, 'payment_declined') }),
    view('cancelled', 'payment_declined'),
    null,
  ],
  [
    'a refused booking lives on',
    record({ wanted: CONTESTED, asked: reply(409, {}, 'slot_unavailable') }),
    CONFIRMED,
    null,
  ],
  ['a move was answered 200 and did not happen', record({ moves: [moved('tutor', reply(200))] }), CONFIRMED, null],
  [
    'a move to a free time was refused',
    record({ moves: [moved('tutor', reply(409, {}, 'slot_unavailable'))] }),
    CONFIRMED,
    null,
  ],
  [
    'a move was refused and happened',
    record({ moves: [moved('tutor', reply(409, {}, 'slot_unavailable'), CONTESTED)] }),
    view('confirmed', null, 4_501, 0, LATER),
    null,
  ],
  [
    'a confirm came through though the authorisation was gone',
    record({ tutorIsInstant: false, asked: reply(201, AWAITS_TUTOR), lapsed: true, confirm: reply(200, CONFIRMED) }),
    CONFIRMED,
    null,
  ],
] as const)('%s: found', (_, told, booking, percent) => {
  expect(judgeBooking(told, ended(booking, percent))).not.toEqual([]);
});

test.each([
  ['on second thoughts', studentCancels(reply(200, ALL_BACK), { aged: false }), ALL_BACK],
  [
    'after the tutor has moved it',
    studentCancels(reply(200, ALL_BACK), { moves: [moved('tutor', reply(200))] }),
    view('refunded', 'cancelled_by_student', 4_501, 4_501, LATER),
  ],
] as const)('a student who cancels %s gets everything back', (_, told, booking) => {
  expect(judgeBooking(told, ended(booking, 100))).toEqual([]);
  const half = view('cancelled', 'cancelled_by_student', 4_501, 2_251, booking.scheduledAt);
  expect(judgeBooking(told, ended(half, 50))).not.toEqual([]);
});

test('a session is where the last move has put it, and a move to a time that others may have can be refused', () => {
  const back = { ...moved('tutor', reply(200)), to: AT };
  expect(judgeBooking(record({ moves: [moved('student', reply(200)), back] }), ended(CONFIRMED))).toEqual([]);
  const refused = moved('tutor', reply(409, {}, 'slot_unavailable'), CONTESTED);
  expect(judgeBooking(record({ moves: [refused] }), ended(CONFIRMED))).toEqual([]);
});

test.each([
  ['seen while the tutor was asked', 'payment_expired', reply(409, {}, 'invalid_state')],
  ['seen when the money was to be taken', 'payment_declined', reply(409, {}, 'payment_failed')],
])('an authorisation that was cancelled at Stripe ends the booking: %s', (_, reason, confirm) => {
  const told = record({ tutorIsInstant: false, asked: reply(201, AWAITS_TUTOR), lapsed: true, confirm });
  expect(judgeBooking(told, ended(view('cancelled', reason)))).toEqual([]);
  expect(judgeBooking(told, ended(AWAITS_TUTOR))).not.toEqual([]);
});

const gaveUp = (more: Partial<BookingRecord>) => record({ plan: { ...PLAN, givesUp: true }, gaveUp: true, ...more });
const gaveUpOnCancel = gaveUp({
  doubts: ['cancel by student'],
  cancelledAt: [{ by: 'student', at: { from: 2, to: Number.POSITIVE_INFINITY } }],
});
const { reply: _, ...doubtfulMove } = moved('tutor', reply(200));

test.each([
  ['a request', gaveUp({ id: undefined, asked: undefined }), undefined, null],
  ['a cancel that took effect', gaveUpOnCancel, HALF_KEPT, 50],
  ['a cancel that did not', gaveUpOnCancel, CONFIRMED, null],
  ['a move', gaveUp({ moves: [doubtfulMove] }), view('confirmed', null, 4_501, 0, LATER), null],
  ['a move that was not made', gaveUp({ moves: [doubtfulMove] }), CONFIRMED, null],
  [
    'reading, before the bank asked',
    gaveUp({ plan: { ...PLAN, bank: 'complete' }, asked: reply(202, view('pending', 'awaiting_payment')) }),
    view('pending', 'awaiting_payment'),
    null,
  ],
] as const)('who gave up on %s is told nothing, so both ends are true', (_, told, booking, percent) => {
  expect(judgeBooking(told, ended(booking, percent))).toEqual([]);
});

test.each([
  ['a booking that was answered 201 is gone all the same', gaveUp({}), undefined, null],
  ['it ended though nobody asked for that', gaveUp({ moves: [doubtfulMove] }), HALF_KEPT, 50],
  ['the other party ended it', gaveUp({ doubts: ['cancel by tutor'] }), HALF_KEPT, 50],
  ['it gave back all', gaveUpOnCancel, ALL_BACK, 50],
  [
    'it was moved elsewhere',
    gaveUp({ moves: [doubtfulMove] }),
    view('confirmed', null, 4_501, 0, '2030-01-03T10:00:00.000Z'),
    null,
  ],
] as const)('of a play that was given up on, %s: found', (_, told, booking, percent) => {
  expect(judgeBooking(told, ended(booking, percent))).not.toEqual([]);
});

test.each(['abandon', 'complete'] as const)(
  'a bank that nobody answered (%s) is waited for as long as it may take',
  (bank) => {
    const asked = reply(202, view('pending', 'awaiting_payment'));
    const told = (from: number) =>
      gaveUp({ plan: { ...PLAN, bank }, asked, askedAt: { from, to: from }, tutorIsInstant: false });
    const waiting = ended(view('pending', 'awaiting_payment'));
    const over = ended(view('cancelled', 'payment_expired'));
    const now = Date.now();
    expect(judgeBooking(told(now), waiting)).toEqual([]);
    expect(judgeBooking(told(now), over)).not.toEqual([]);
    expect(judgeBooking(told(now - 15 * MINUTE), over)).toEqual([]);
  },
);

const PAYMENT: PaymentPlan = {
  kind: 'payment',
  number: 1,
  student: 0,
  tutor: 0,
  amount: 1_000,
  refundPercents: [60, 60],
  withoutTemporal: false,
  givesUp: false,
  pauseMs: 0,
  card: 'pm_card_visa',
  bank: 'none',
  declines: false,
};
const money = (captured: number, refunded: number) =>
  paymentSchema.parse({
    id: 'p',
    status: '',
    amount: EUR(1_000),
    captured: EUR(captured),
    refunded: EUR(refunded),
    refundPending: EUR(0),
  });
const refund = (status: string) => refundSchema.parse({ id: 'r', status, amount: EUR(600) });
const paid = (...refunds: Reply[]): PaymentRecord => ({
  plan: PAYMENT,
  ...PEOPLE,
  id: 'p',
  asked: reply(201, money(1_000, 0)),
  gaveUp: false,
  doubtful: [],
  refunds: refunds.map((answer) => ({ amount: 600, reply: answer })),
});
const GIVEN = reply(201, refund('pending'));
const TOO_MUCH = reply(409, {}, 'refund_exceeds_payment');

test('of two refunds that together are too much one was made and one refused', () => {
  expect(judgePayment(paid(GIVEN, TOO_MUCH), money(1_000, 600), [refund('succeeded')], UNCLAIMED)).toEqual([]);
});

test.each([
  ['a promised refund failed', paid(GIVEN), money(1_000, 0), [refund('failed')]],
  ['more was given back than was promised', paid(GIVEN), money(1_000, 700), [refund('succeeded')]],
  ['a refund that would have fitted was refused', paid(TOO_MUCH), money(1_000, 0), []],
  ['a payment that was answered 201 was not taken', paid(), money(0, 0), []],
  ['a payment is gone', paid(), undefined, []],
] as const)('%s: found', (_, told, payment, refunds) => {
  expect(judgePayment(told, payment, [...refunds], UNCLAIMED)).not.toEqual([]);
});

const doubtful = (...refunds: Reply[]) => ({ ...paid(...refunds), gaveUp: true, doubtful: [600] });
const REFUSED = reply(409, {}, 'refund_failed');

test.each([
  ['is made', doubtful(), money(1_000, 600), [refund('succeeded')]],
  ['is not made', doubtful(), money(1_000, 0), []],
  ['is made before the other one', doubtful(TOO_MUCH), money(1_000, 600), [refund('succeeded')]],
  ['was refused by Stripe and made by an operator', paid(REFUSED), money(1_000, 600), [refund('succeeded')]],
] as const)('a refund that nobody was promised %s', (_, told, payment, refunds) => {
  expect(judgePayment(told, payment, [...refunds], UNCLAIMED)).toEqual([]);
});

test('more than all that anybody asked for is given back: found', () => {
  expect(judgePayment(doubtful(), money(1_000, 700), [refund('succeeded')], UNCLAIMED)).not.toEqual([]);
});

import type { Reply } from './client';
import type { BookingRecord, PaymentRecord } from './plays';
import type { BookingPlan, PaymentPlan } from './script';
import { judgeBooking, judgePayment } from './verdict';
import { bookingSchema, paymentSchema, refundSchema } from './wire';

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
  move: undefined,
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

const record = (more: Partial<BookingRecord>): BookingRecord => ({
  plan: PLAN,
  ...PEOPLE,
  tutorIsInstant: true,
  contested: false,
  id: 'b',
  asked: reply(201, CONFIRMED),
  cancels: [],
  gaveUp: false,
  doubts: [],
  ...more,
});
const studentCancels = (answer: Reply) => record({ cancels: [{ by: 'student', reply: answer }] });
const HALF_KEPT = view('cancelled', 'cancelled_by_student', 4_501, 2_251);

test('what was told and is so is no violation', () => {
  expect(judgeBooking(record({}), { booking: CONFIRMED, retained: null })).toEqual([]);
  const cancelled = studentCancels(reply(200, HALF_KEPT));
  expect(judgeBooking(cancelled, { booking: HALF_KEPT, retained: 2_250 })).toEqual([]);
  const contested = record({ contested: true, asked: reply(409, {}, 'slot_unavailable') });
  const lost = { booking: view('cancelled', 'slot_unavailable'), retained: null };
  expect(judgeBooking(contested, lost)).toEqual([]);
});

test.each([
  ['a booking that was answered 201 is gone', record({}), undefined, null],
  ['a confirmed booking ended though nobody ended it', record({}), view('cancelled', 'payment_declined'), null],
  ['a confirmed booking waits again', record({}), view('pending', 'awaiting_tutor'), null],
  ['a cancel was answered 200 and the booking stays', studentCancels(reply(200, HALF_KEPT)), CONFIRMED, null],
  [
    'a cancel gave back a cent too little',
    studentCancels(reply(200, HALF_KEPT)),
    view('cancelled', 'cancelled_by_student', 4_501, 2_250),
    2_251,
  ],
  [
    'a cancel gave back all',
    studentCancels(reply(200, HALF_KEPT)),
    view('refunded', 'cancelled_by_student', 4_501, 4_501),
    0,
  ],
  ['a cancel was refused for no reason', studentCancels(reply(409, {}, 'invalid_state')), CONFIRMED, null],
  [
    'a free slot was refused',
    record({ asked: reply(409, {}, 'slot_unavailable') }),
    view('cancelled', 'slot_unavailable'),
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
    record({ contested: true, asked: reply(409, {}, 'slot_unavailable') }),
    CONFIRMED,
    null,
  ],
  [
    'a move was answered 200 and did not happen',
    record({ move: { by: 'tutor', to: LATER, reply: reply(200) } }),
    CONFIRMED,
    null,
  ],
] as const)('%s: found', (_, told, booking, retained) => {
  expect(judgeBooking(told, { booking, retained })).not.toEqual([]);
});

const gaveUp = (more: Partial<BookingRecord>) => record({ plan: { ...PLAN, givesUp: true }, gaveUp: true, ...more });
const ENDED = view('cancelled', 'cancelled_by_student', 4_501, 2_251);

test.each([
  ['a request', gaveUp({ id: undefined, asked: undefined }), undefined, null],
  ['a cancel that took effect', gaveUp({ doubts: ['cancel by student'] }), ENDED, 2_250],
  ['a cancel that did not', gaveUp({ doubts: ['cancel by student'] }), CONFIRMED, null],
  ['a move', gaveUp({ doubts: ['move'], mayBeMovedTo: LATER }), view('confirmed', null, 4_501, 0, LATER), null],
  [
    'reading, before the bank asked',
    gaveUp({ plan: { ...PLAN, bank: 'complete' }, asked: reply(202, view('pending', 'awaiting_payment')) }),
    view('pending', 'awaiting_payment'),
    null,
  ],
] as const)('who gave up on %s is told nothing, so both ends are true', (_, told, booking, retained) => {
  expect(judgeBooking(told, { booking, retained })).toEqual([]);
});

test.each([
  ['a booking that was answered 201 is gone all the same', gaveUp({}), undefined, null],
  ['it ended though nobody asked for that', gaveUp({ doubts: ['move'], mayBeMovedTo: LATER }), ENDED, 2_250],
  ['the other party ended it', gaveUp({ doubts: ['cancel by tutor'] }), ENDED, 2_250],
  [
    'it gave back all',
    gaveUp({ doubts: ['cancel by student'] }),
    view('refunded', 'cancelled_by_student', 4_501, 4_501),
    0,
  ],
  [
    'it was moved elsewhere',
    gaveUp({ doubts: ['move'], mayBeMovedTo: LATER }),
    view('confirmed', null, 4_501, 0, '2030-01-03T10:00:00.000Z'),
    null,
  ],
] as const)('of a play that was given up on, %s: found', (_, told, booking, retained) => {
  expect(judgeBooking(told, { booking, retained })).not.toEqual([]);
});

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
  expect(judgePayment(paid(GIVEN, TOO_MUCH), money(1_000, 600), [refund('succeeded')])).toEqual([]);
});

test.each([
  ['a promised refund failed', paid(GIVEN), money(1_000, 0), [refund('failed')]],
  ['more was given back than was promised', paid(GIVEN), money(1_000, 700), [refund('succeeded')]],
  ['a refund that would have fitted was refused', paid(TOO_MUCH), money(1_000, 0), []],
  ['a payment that was answered 201 was not taken', paid(), money(0, 0), []],
  ['a payment is gone', paid(), undefined, []],
] as const)('%s: found', (_, told, payment, refunds) => {
  expect(judgePayment(told, payment, [...refunds])).not.toEqual([]);
});

const doubtful = (...refunds: Reply[]) => ({ ...paid(...refunds), gaveUp: true, doubtful: [600] });
const REFUSED = reply(409, {}, 'refund_failed');

test.each([
  ['is made', doubtful(), money(1_000, 600), [refund('succeeded')]],
  ['is not made', doubtful(), money(1_000, 0), []],
  ['is made before the other one', doubtful(TOO_MUCH), money(1_000, 600), [refund('succeeded')]],
  ['was refused by Stripe and made by an operator', paid(REFUSED), money(1_000, 600), [refund('succeeded')]],
] as const)('a refund that nobody was promised %s', (_, told, payment, refunds) => {
  expect(judgePayment(told, payment, [...refunds])).toEqual([]);
});

test('more than all that anybody asked for is given back: found', () => {
  expect(judgePayment(doubtful(), money(1_000, 700), [refund('succeeded')])).not.toEqual([]);
});

import { drawAccounts } from './account-plan';
import { type Chance, chance } from './chance';
import { type Drawn, drawChanges } from './changes-plan';
import { drawEarners } from './payout-plan';
import type { BookingPlan, Card, PaymentPlan, Script, SignUpPlan, Slot } from './plan';

export const MOST_BOOKINGS = 3_000;

const TUTORS = 6;
const STUDENTS = 40;
const HOUR = 60;
/**
 * From here on a cancel costs the student nothing. Each booking has an hour of its own, so that no student has two at
 * one time.
 */
const FAR = 72 * HOUR;
/** Sessions of half an hour between 24 h and 4 h ahead, with hours to spare on both sides: half is given back. */
const NEAR = { from: 7 * HOUR, cells: 28, refundPercent: 50 };
/** Less than 4 h ahead and more than the hour before which a reminder is sent: nothing is given back. */
const SOON = { from: 2 * HOUR, cells: 2, refundPercent: 0 };
const HALF_HOUR = 30;
/** The share of plays whose people give up. */
const GIVES_UP = 0.2;

/** Everything that people will do in a run: the same for the same seed and number of bookings. */
export function writeScript(seed: number, bookings: number): Script {
  const draw = chance(seed, 'people');
  const patience = chance(seed, 'patience');
  const near = cells(NEAR);
  const soon = cells(SOON);
  const drawn: (Drawn | PaymentPlan | SignUpPlan)[] = [];
  const bookingsSoFar: Drawn[] = [];
  for (let number = 0; number < bookings; number++) {
    const place = draw.pick<Place[]>([
      [70, []],
      [20, near],
      [10, soon],
    ]);
    const booked = planBooking(draw, number, place.shift(), bookingsSoFar.at(-1));
    const booking = { ...booked, givesUp: patience.holds(GIVES_UP) };
    bookingsSoFar.push(booking);
    drawn.push(booking);
    if (draw.holds(0.15)) {
      const givesUp = patience.holds(GIVES_UP);
      drawn.push({ ...planPayment(draw, number), givesUp, withoutTemporal: patience.holds(0.3) });
    }
    if (draw.holds(0.08)) {
      drawn.push({
        kind: 'sign-up',
        number,
        role: draw.pick([
          [1, 'student'],
          [1, 'tutor'],
        ]),
        pauseMs: pause(draw),
        givesUp: patience.holds(GIVES_UP),
      });
    }
  }
  const stage = {
    ...{ seed, students: STUDENTS, bookings: bookingsSoFar },
    freeHour: (number: number) => farSlot(bookings + number),
    nextNear: () => near.pop()?.slot,
  };
  const plans = drawn.map((plan) => {
    if (plan.kind !== 'booking') return plan;
    const { mover: _, ...booking } = plan;
    return { ...booking, ...drawChanges(stage, plan) };
  });
  return {
    students: STUDENTS,
    // Prices that do not divide: rounding is part of what is checked.
    tutors: Array.from({ length: TUTORS }, (_, index) => ({ hourly: 4_501 + 333 * index, instant: index % 2 === 0 })),
    plans,
    earners: drawEarners({ seed, bookings, students: STUDENTS }),
    accounts: drawAccounts({ seed, bookings }),
  };
}

type Place = Pick<BookingPlan, 'student' | 'tutor' | 'slot'>;

/** Places near now: one booking each, and no student twice at one time. */
function cells({ from, cells, refundPercent }: typeof NEAR): Place[] {
  return Array.from({ length: cells * TUTORS }, (_, index) => {
    const row = Math.floor(index / cells);
    return {
      tutor: row,
      student: (index + row) % STUDENTS,
      slot: { minutesAhead: from + (index % cells) * HALF_HOUR, durationMinutes: HALF_HOUR, refundPercent },
    };
  });
}

const farSlot = (hour: number): Slot => ({
  minutesAhead: FAR + hour * HOUR,
  durationMinutes: HOUR,
  refundPercent: 100,
});

function planBooking(
  draw: Chance,
  number: number,
  place: Place | undefined,
  before: Drawn | undefined,
): Omit<Drawn, 'givesUp'> {
  const own = place ?? { tutor: draw.below(TUTORS), student: draw.below(STUDENTS), slot: farSlot(number) };
  const rival = !place && draw.holds(0.12) && before?.slot.refundPercent === 100 ? before : undefined;
  const common = {
    ...own,
    ...(rival && { tutor: rival.tutor, slot: rival.slot, student: (rival.student + 1) % STUDENTS }),
    kind: 'booking' as const,
    number,
    rivalOf: rival?.number,
    ...card(draw),
    copies: draw.holds(0.12) ? 3 : 1,
    answer: draw.pick<BookingPlan['answer']>([
      [75, 'confirm'],
      [17, 'decline'],
      [8, 'none'],
    ]),
    studentCancels: draw.pick<BookingPlan['studentCancels']>([
      [57, 'never'],
      [10, 'waiting'],
      [13, 'racing'],
      [20, 'confirmed'],
    ]),
    tutorCancels: draw.holds(0.08),
    pauseMs: pause(draw),
  };
  // A student may only move a session that is far ahead.
  const mover = draw.pick<'student' | 'tutor' | undefined>([
    [12, 'student'],
    [8, 'tutor'],
    [80, undefined],
  ]);
  return { ...common, mover: place ? undefined : mover };
}

function planPayment(draw: Chance, number: number): Omit<PaymentPlan, 'givesUp' | 'withoutTemporal'> {
  return {
    kind: 'payment',
    number,
    student: draw.below(STUDENTS),
    tutor: draw.below(TUTORS),
    amount: 1_001 + draw.below(9_000),
    ...card(draw),
    refundPercents: draw.pick([
      [40, []],
      [20, [100]],
      [20, [37]],
      [20, [60, 60]],
    ]),
    pauseMs: pause(draw),
  };
}

function card(draw: Chance): Card {
  return draw.pick<Card>([
    [74, { card: 'pm_card_visa', bank: 'none', declines: false }],
    [5, { card: 'pm_card_visa_chargeDeclined', bank: 'none', declines: true }],
    [3, { card: 'pm_card_visa_chargeDeclinedInsufficientFunds', bank: 'none', declines: true }],
    [3, { card: 'pm_card_pendingRefund', bank: 'none', declines: false }],
    [8, { card: 'pm_card_threeDSecure2Required', bank: 'complete', declines: false }],
    [3, { card: 'pm_card_threeDSecure2Required', bank: 'fail', declines: true }],
    [2, { card: 'pm_card_threeDSecureRequiredChargeDeclined', bank: 'complete', declines: true }],
    [2, { card: 'pm_card_threeDSecure2Required', bank: 'abandon', declines: false }],
  ]);
}

/** People think between their actions. Without these pauses a run would be over before much was killed. */
const pause = (draw: Chance) => Math.round(draw.between(200, 2_500));

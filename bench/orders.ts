import { uuidv7 } from '../platform/ids';
import { type Order, SUBJECT } from './order';
import type { People } from './people';
import type { Stack } from './stack';

/** One card in ten is declined. One booking in twenty loses the answer to its charge. No booking meets both. */
const DECLINED = { every: 10, at: 7 };
const UNLUCKY = { every: 20, at: 3 };

const SESSION_MINUTES = 60;
const HOUR_MS = 3_600_000;
const FIRST_DAY = 3;
// Some engines sleep on Node's timers, which wait 24.8 days at most. The reminder comes a day before the start, and
// so within that time.
const LAST_DAY = 23;

export interface PlannedOrder {
  order: Order;
  declined: boolean;
}

export interface Orders {
  /**
   * The next `count` bookings; nobody has two at one time. `stored`: their requests are stored too, as the booking
   * endpoint would.
   */
  next(count: number, options: { stored: boolean }): Promise<PlannedOrder[]>;
  unluckyStudents: string[];
}

/**
 * Spreads bookings over tutors and hours, the same way in every run. The n-th booking of a stack is with tutor n mod
 * tutors; n also decides the card and whether the student is unlucky. One student in twenty is unlucky. Nobody has
 * two sessions in one hour.
 */
export function createOrders(stack: Stack, { students, tutors }: People): Orders {
  const unluckyPerHour = Math.ceil(tutors.length / UNLUCKY.every);
  const unluckyStudents = students.slice(0, unluckyPerHour * 2);
  const lucky = students.slice(unluckyPerHour * 2);
  if (lucky.length < tutors.length) throw new Error('Every tutor needs a student of the hour');
  const firstHour = Math.ceil(Date.now() / HOUR_MS) + FIRST_DAY * 24;
  const capacity = tutors.length * (LAST_DAY - FIRST_DAY) * 24;
  let made = 0;

  const plan = (n: number): PlannedOrder => {
    if (n >= capacity) throw new Error(`This stack has room for ${capacity} bookings`);
    const place = n % tutors.length;
    const hour = Math.floor(n / tutors.length);
    const isUnlucky = n % UNLUCKY.every === UNLUCKY.at;
    const studentId = isUnlucky
      ? unluckyStudents[Math.floor(place / UNLUCKY.every) + (hour % 2) * unluckyPerHour]
      : lucky[(place + hour * 7) % lucky.length];
    const tutorId = tutors[place];
    if (!studentId || !tutorId) throw new Error('The plan of bookings names nobody');
    const declined = n % DECLINED.every === DECLINED.at;
    const order = {
      bookingId: uuidv7(),
      studentId,
      tutorId,
      durationMinutes: SESSION_MINUTES,
      scheduledAt: new Date((firstHour + hour) * HOUR_MS).toISOString(),
      paymentMethodId: declined ? 'pm_card_visa_chargeDeclined' : 'pm_card_visa',
      requestedAt: new Date().toISOString(),
    };
    return { order, declined };
  };

  return {
    unluckyStudents,
    async next(count, { stored }) {
      const planned = Array.from({ length: count }, (_, index) => plan(made + index));
      made += count;
      if (stored) await storeRequests(stack, planned);
      return planned;
    },
  };
}

const ROWS_AT_ONCE = 5_000;

async function storeRequests(stack: Stack, planned: PlannedOrder[]): Promise<void> {
  const sql = stack.database('booking');
  for (let from = 0; from < planned.length; from += ROWS_AT_ONCE) {
    const rows = planned.slice(from, from + ROWS_AT_ONCE).map(({ order }) => ({
      id: order.bookingId,
      student_id: order.studentId,
      tutor_id: order.tutorId,
      subject: SUBJECT,
      scheduled_at: order.scheduledAt,
      duration_minutes: order.durationMinutes,
    }));
    await sql`insert into booking_requests ${sql(rows)}`;
  }
}

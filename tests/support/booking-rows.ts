import { byService } from '../../platform/idempotency';
import { uuidv7 } from '../../platform/ids';
import type { Creation, PaymentProjection } from '../../services/booking/contract';
import { recordPayment } from '../../services/booking/store/payment-copy';
import { readBooking, readTimeline } from '../../services/booking/store/reads';
import { confirmPending, createPending } from '../../services/booking/store/saga-steps';
import { eur, inHours, payment, person } from './bookings';
import { createTestDatabase, type TestDatabase } from './database';

/** The step of a booking's saga, under the key that it has there. */
export const step = <Name extends string>(id: string, name: Name) =>
  byService({ idempotencyKey: `booking:${id}/${name}` as const, fingerprint: name });

/** What the saga makes a booking with, but for what `change` says. */
export const creation = (change: Partial<Creation> = {}): Creation => ({
  student: person('sam', 'de'),
  tutor: person('ada', 'de'),
  subject: 'Maths',
  price: eur(4500),
  instantBooking: true,
  ...change,
});

/** A ProblemError of this code. */
export const refused = (code: string) => expect.objectContaining({ code });

/** What a booking is asked for with. */
interface Wish {
  studentId?: string;
  tutorId?: string;
  scheduledAt?: string;
  durationMinutes?: number;
  /** When it was asked for; an hour ago unless it says otherwise, so that nobody is thinking better of it. */
  askedAt?: string;
}

/** A booking database for one test file, made before its tests and dropped after them, and bookings brought as far as tests need. */
export function bookingRows() {
  let opened: TestDatabase | undefined;
  const reached = () => {
    if (!opened) throw new Error('the database is there from beforeAll to afterAll');
    return opened;
  };
  const db = () => reached().db;
  beforeAll(async () => {
    opened = await createTestDatabase('booking');
  });
  afterAll(() => opened?.drop());

  async function requested(change: Wish = {}) {
    const id = uuidv7();
    const { studentId = uuidv7(), tutorId = uuidv7(), scheduledAt = inHours(72), durationMinutes = 60 } = change;
    const { askedAt = inHours(-1) } = change;
    await reached().sql`
      insert into booking_requests (id, student_id, tutor_id, subject, scheduled_at, duration_minutes, created_at)
      values (${id}, ${studentId}, ${tutorId}, 'Maths', ${scheduledAt}, ${durationMinutes}, ${askedAt})`;
    return { id, studentId, tutorId, scheduledAt };
  }

  async function created(change: Wish & Partial<Creation> = {}) {
    const made = await requested(change);
    const { instantBooking = true } = change;
    await createPending(db(), step(made.id, 'create'), made.id, creation({ instantBooking }));
    return made;
  }

  async function confirmed(change: Wish & Partial<Creation> = {}, paid: PaymentProjection = payment()) {
    const made = await created(change);
    await recordPayment(db(), step(made.id, 'payment'), made.id, paid, null);
    await confirmPending(db(), step(made.id, 'confirm'), made.id);
    return { ...made, paid };
  }

  return {
    db,
    database: {
      get sql() {
        return reached().sql;
      },
    },
    /** A request whose booking is still to be made. */
    requested,
    /** A pending booking. */
    created,
    /** A confirmed booking and its payment. */
    confirmed,
    statusOf: async (id: string) => (await readBooking(db(), id)).status,
    /** The types of a booking's events, in order. */
    typesOf: async (id: string) => (await readTimeline(db(), id)).map(({ type }) => type),
  };
}

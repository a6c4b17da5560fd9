import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { GaveUp, type Reply } from './client';
import { askAs, SUBJECT, unexpected } from './people';
import type { BookingPlan, Slot } from './plan';
import type { BookingRecord, Cast } from './records';
import { type BookingView, bookingSchema, refusalSchema } from './wire';

export const LOOK_EVERY_MS = 700;
/** A step of money is tried for ten minutes before the booking is undone; a poll for a lost webhook comes every two. */
export const RESTS_WITHIN_MS = 720_000;

/** When a slot of the script begins, ISO 8601. */
export const startOf = (cast: Pick<Cast, 'startsFrom'>, slot: Slot) =>
  new Date(cast.startsFrom + slot.minutesAhead * 60_000).toISOString();

export const intentOf = (clientSecret: string) => clientSecret.split('_secret')[0] ?? '';

/** @throws Error when the plan names somebody who is not in the cast */
export function pairOf({ students, tutors }: Cast, plan: { student: number; tutor: number }) {
  const student = students[plan.student];
  const tutor = tutors[plan.tutor];
  if (!student || !tutor) throw new Error('The script names somebody who is not in the cast');
  return { student, tutor };
}

/** The record of a booking before anything is said. `session`: by which name its neighbours know it. */
export function newRecord(cast: Cast, plan: BookingPlan, session: string): BookingRecord {
  const { student, tutor } = pairOf(cast, plan);
  return {
    ...{ plan, student, tutor, tutorIsInstant: tutor.instant },
    wanted: {
      byTutor: cast.neighbours.ofTutor(session, plan.tutor, plan.slot),
      byStudent: cast.neighbours.ofStudent(session, plan.student, plan.slot),
    },
    ...{ id: undefined, asked: undefined, askedAt: { from: Date.now(), to: Number.POSITIVE_INFINITY } },
    ...{ aged: false, lapsed: false, cancels: [], cancelledAt: [], moves: [], refunds: [] },
    ...{ gaveUp: false, doubts: [] },
  };
}

/** Notes how a request was answered, and of which booking. */
export function noteRequest(record: BookingRecord, asked: Reply): void {
  record.asked = asked;
  record.askedAt.to = Date.now();
  if (asked.status < 300) record.id = bookingSchema.parse(asked.body).id;
  else if (asked.status === 402 || asked.status === 409) record.id = refusalSchema.parse(asked.body).bookingId;
}

/** Asks for the session; copies go out at once, and all have to be answered alike. */
export async function request(cast: Cast, { plan, student, tutor }: BookingRecord): Promise<Reply> {
  const key = randomUUID();
  const { durationMinutes } = plan.slot;
  const session = { tutorId: tutor.id, subject: SUBJECT, scheduledAt: startOf(cast, plan.slot), durationMinutes };
  const body = { ...session, paymentMethodId: plan.card };
  const ask = () => askAs(cast.client, student, 'POST', '/api/bookings', { key, body });
  const ends = await Promise.allSettled(Array.from({ length: plan.copies }, ask));
  const [reply, ...others] = ends.flatMap((end) => (end.status === 'fulfilled' ? [end.value] : []));
  for (const end of ends) {
    // Of several copies one answer is enough, unless something else went wrong.
    if (end.status === 'rejected' && !(reply && end.reason instanceof GaveUp)) throw end.reason;
  }
  if (!reply) throw new Error('nothing was asked');
  for (const other of others) {
    if (aboutOf(other) !== aboutOf(reply))
      throw new Error('copies of one request were answered about different bookings');
  }
  return reply;
}

function aboutOf({ status, body }: Reply): string | undefined {
  return status < 300 ? bookingSchema.parse(body).id : refusalSchema.parse(body).bookingId;
}

const CAN_WAIT = ['awaiting_tutor', 'awaiting_payment'];

/** Waits until nothing goes on by itself, and answers the bank meanwhile. */
export async function untilItRests(cast: Cast, record: BookingRecord): Promise<BookingView> {
  const { bank } = record.plan;
  let answered = false;
  for (const deadline = performance.now() + RESTS_WITHIN_MS; performance.now() < deadline; ) {
    const booking = await read(cast, record);
    const { status, statusReason, payment } = booking;
    if (status !== 'pending' || statusReason === 'awaiting_tutor') return booking;
    const asksBank = statusReason === 'awaiting_payment' && payment?.status === 'requires_action';
    if (asksBank && bank === 'abandon') return booking;
    if (asksBank && payment.clientSecret && !answered && (bank === 'complete' || bank === 'fail')) {
      await cast.bank(intentOf(payment.clientSecret), bank);
      answered = true;
    }
    await sleep(LOOK_EVERY_MS);
  }
  const { status, statusReason } = await read(cast, record);
  const wait = CAN_WAIT.includes(statusReason ?? '') ? statusReason : 'nothing that has a name';
  throw new Error(`booking ${record.id} is ${status} and waits for ${wait} after ${RESTS_WITHIN_MS / 1_000} s`);
}

export async function read(cast: Cast, { id, student }: BookingRecord): Promise<BookingView> {
  const reply = await askAs(cast.client, student, 'GET', `/api/bookings/${id}`);
  if (reply.status !== 200) throw unexpected(`reading booking ${id}`, reply);
  return bookingSchema.parse(reply.body);
}

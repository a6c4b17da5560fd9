import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../machine/error-code';
import { askingOnce, type Client, GaveUp, type Reply } from './client';
import { askAs, namesOf, type Person, SUBJECT, signUp, unexpected } from './people';
import type { BookingPlan, PaymentPlan, Plan, SignUpPlan, Slot } from './script';
import { type BookingView, bookingSchema, type PaymentView, paymentSchema, refusalSchema } from './wire';

/** A command that somebody gave and gave up on: it may or may not have taken effect. */
export type Doubt = 'confirm' | 'decline' | 'move' | 'cancel by student' | 'cancel by tutor';

/** What the clients of one booking were told. */
export interface BookingRecord {
  plan: BookingPlan;
  student: Person;
  tutor: Person;
  tutorIsInstant: boolean;
  /** Somebody else wants the same slot. */
  contested: boolean;
  /** Unknown when the request was refused before there was a booking. */
  id: string | undefined;
  asked: Reply | undefined;
  confirm?: Reply;
  decline?: Reply;
  cancels: { by: 'student' | 'tutor'; reply: Reply }[];
  move?: { by: 'student' | 'tutor'; to: string; reply: Reply };
  /** Where a move that was given up on would have gone. */
  mayBeMovedTo?: string;
  /** Somebody gave up, and the play ended there. */
  gaveUp: boolean;
  doubts: Doubt[];
}

/** What the clients of one direct payment were told. */
export interface PaymentRecord {
  plan: PaymentPlan;
  student: Person;
  tutor: Person;
  id: string | undefined;
  asked: Reply | undefined;
  refunds: { amount: number; reply: Reply }[];
  gaveUp: boolean;
  /** Amounts of refunds that somebody asked for and gave up on. */
  doubtful: number[];
}

export interface SignUpRecord {
  plan: SignUpPlan;
  person: Person;
}

/** Everything that was said to clients in a run. */
export interface Records {
  bookings: BookingRecord[];
  payments: PaymentRecord[];
  signUps: SignUpRecord[];
  /** People whose sign-up was given up on. */
  strangers: Pick<Person, 'email' | 'firstName' | 'lastName'>[];
  /** Plays that could not be played to their end, in sentences. */
  broken: string[];
}

export interface Cast {
  client: Client;
  students: Person[];
  tutors: (Person & { instant: boolean })[];
  /** Numbers of the bookings whose slot another one wants too. */
  contested: ReadonlySet<number>;
  /** The moment that the slots of the script count from, a quarter hour. */
  startsFrom: number;
  /** Stops Temporal for some seconds; returns when it is down. */
  stopTemporal(): Promise<void>;
  /** Plays the bank of 3-D Secure. */
  bank(intent: string, verdict: 'complete' | 'fail'): Promise<void>;
  /** A part of every e-mail address, so that people of different runs never share one. */
  run: string;
}

const LOOK_EVERY_MS = 700;
/** A step of money is tried for ten minutes before the booking is undone; a poll for a lost webhook comes every two. */
const RESTS_WITHIN_MS = 720_000;

export const emptyRecords = (): Records => ({
  bookings: [],
  payments: [],
  signUps: [],
  strangers: [],
  broken: [],
});

/** Plays one plan to its end and notes what its people were told. Never rejects. */
export async function play(all: Cast, plan: Plan, records: Records): Promise<void> {
  const cast = plan.givesUp ? { ...all, client: askingOnce(all.client) } : all;
  try {
    if (plan.kind === 'booking') await playBooking(cast, plan, records);
    else if (plan.kind === 'payment') await playPayment(cast, plan, records);
    else await playSignUp(cast, plan, records);
  } catch (error) {
    if (!(error instanceof GaveUp)) records.broken.push(`${plan.kind} ${plan.number}: ${messageOf(error)}`);
  }
}

const startOf = (cast: Cast, slot: Slot) => new Date(cast.startsFrom + slot.minutesAhead * 60_000).toISOString();

async function playBooking(cast: Cast, plan: BookingPlan, records: Records): Promise<void> {
  const { student, tutor } = pairOf(cast, plan);
  const record: BookingRecord = {
    plan,
    student,
    tutor,
    tutorIsInstant: tutor.instant,
    contested: cast.contested.has(plan.number),
    id: undefined,
    asked: undefined,
    cancels: [],
    gaveUp: false,
    doubts: [],
  };
  records.bookings.push(record);
  await sleep(plan.pauseMs);
  await notingGiveUp(record, () => bookAndChange(cast, plan, record));
}

/** Notes that somebody gave up, and goes on giving up. */
async function notingGiveUp(record: { gaveUp: boolean }, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    record.gaveUp ||= error instanceof GaveUp;
    throw error;
  }
}

/** All of them, to the end of each; then the first failure. */
async function together<T>(works: Promise<T>[]): Promise<T[]> {
  const ends = await Promise.allSettled(works);
  return ends.map((end) => {
    if (end.status === 'rejected') throw end.reason;
    return end.value;
  });
}

async function bookAndChange(cast: Cast, plan: BookingPlan, record: BookingRecord): Promise<void> {
  record.asked = await request(cast, plan, record);
  const { asked } = record;
  if (asked.status < 300) record.id = bookingSchema.parse(asked.body).id;
  else if (asked.status === 402 || asked.status === 409) record.id = refusalSchema.parse(asked.body).bookingId;
  if (asked.status >= 300) return;
  const booking = await untilItRests(cast, record);
  if (booking.statusReason === 'awaiting_payment') {
    if (plan.studentCancels !== 'never') await cancel(cast, record, 'student');
    return;
  }
  await sleep(plan.pauseMs);
  if (booking.statusReason === 'awaiting_tutor') await decide(cast, record);
  const is = booking.status === 'confirmed' ? booking : await read(cast, record);
  if (is.status === 'confirmed') await change(cast, record);
}

/** Asks for the session; copies go out at once, and all have to be answered alike. */
async function request(cast: Cast, plan: BookingPlan, { student, tutor }: BookingRecord): Promise<Reply> {
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
async function untilItRests(cast: Cast, record: BookingRecord): Promise<BookingView> {
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

async function read(cast: Cast, { id, student }: BookingRecord): Promise<BookingView> {
  const reply = await askAs(cast.client, student, 'GET', `/api/bookings/${id}`);
  if (reply.status !== 200) throw unexpected(`reading booking ${id}`, reply);
  return bookingSchema.parse(reply.body);
}

/** The tutor answers. The student may cancel first. */
async function decide(cast: Cast, record: BookingRecord): Promise<void> {
  const { plan } = record;
  if (plan.studentCancels === 'waiting') return cancel(cast, record, 'student');
  const tutorAnswers = async () => {
    if (plan.answer === 'confirm') record.confirm = await command(cast, record, 'tutor', 'confirm');
    if (plan.answer === 'decline') record.decline = await command(cast, record, 'tutor', 'decline', 'Fully booked');
  };
  const works = [tutorAnswers()];
  if (plan.studentCancels === 'racing') works.push(cancel(cast, record, 'student'));
  await together(works);
}

/** What people do to a session that is confirmed. */
async function change(cast: Cast, record: BookingRecord): Promise<void> {
  const { plan, id } = record;
  if (plan.move) {
    const { by } = plan.move;
    const to = startOf(cast, plan.move.to);
    const call = { key: randomUUID(), body: { scheduledAt: to } };
    const move = () => askAs(cast.client, record[by], 'PATCH', `/api/bookings/${id}`, call);
    record.mayBeMovedTo = to;
    record.move = { by, to, reply: await inDoubt(record, 'move', move) };
    await sleep(plan.pauseMs);
  }
  const racing = plan.studentCancels === 'racing' && record.cancels.length === 0;
  const cancels: Promise<void>[] = [];
  if (plan.studentCancels === 'confirmed' || racing) cancels.push(cancel(cast, record, 'student'));
  if (plan.tutorCancels) cancels.push(cancel(cast, record, 'tutor'));
  await together(cancels);
}

/** Notes the command as doubtful when somebody gives up on it. */
async function inDoubt(record: BookingRecord, doubt: Doubt, work: () => Promise<Reply>): Promise<Reply> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof GaveUp) record.doubts.push(doubt);
    throw error;
  }
}

async function cancel(cast: Cast, record: BookingRecord, by: 'student' | 'tutor'): Promise<void> {
  record.cancels.push({ by, reply: await command(cast, record, by, 'cancel', 'I am ill') });
}

function command(
  { client }: Cast,
  record: BookingRecord,
  by: 'student' | 'tutor',
  what: 'confirm' | 'decline' | 'cancel',
  reason?: string,
): Promise<Reply> {
  const call = { key: randomUUID(), body: reason === undefined ? undefined : { reason } };
  return inDoubt(record, what === 'cancel' ? `cancel by ${by}` : what, () =>
    askAs(client, record[by], 'POST', `/api/bookings/${record.id}/${what}`, call),
  );
}

async function playPayment(cast: Cast, plan: PaymentPlan, records: Records): Promise<void> {
  const { student, tutor } = pairOf(cast, plan);
  const of = { plan, student, tutor };
  const record: PaymentRecord = { ...of, id: undefined, asked: undefined, refunds: [], gaveUp: false, doubtful: [] };
  records.payments.push(record);
  await sleep(plan.pauseMs);
  await notingGiveUp(record, () => payAndRefund(cast, plan, record));
}

async function payAndRefund(cast: Cast, plan: PaymentPlan, record: PaymentRecord): Promise<void> {
  const { client } = cast;
  const { student, tutor } = record;
  const amount = { amount: plan.amount, currency: 'EUR' };
  const body = { payeeId: tutor.id, amount, paymentMethodId: plan.card, description: 'A book' };
  record.asked = await askAs(client, student, 'POST', '/api/payments', { key: randomUUID(), body });
  const { asked } = record;
  record.id = asked.status < 300 ? paymentSchema.parse(asked.body).id : refusalSchema.parse(asked.body).paymentId;
  if (asked.status >= 300) return;
  const payment = await untilPaid(cast, record);
  if (payment.captured.amount === 0) return;
  await sleep(plan.pauseMs);
  if (plan.withoutTemporal && plan.refundPercents.length > 0) await cast.stopTemporal();
  await together(
    plan.refundPercents.map(async (percent) => {
      const part = Math.round((plan.amount * percent) / 100);
      const body = { amount: { amount: part, currency: 'EUR' }, reason: 'As agreed' };
      const call = { key: randomUUID(), body };
      try {
        const reply = await askAs(client, tutor, 'POST', `/api/payments/${record.id}/refund`, call);
        record.refunds.push({ amount: part, reply });
      } catch (error) {
        if (error instanceof GaveUp) record.doubtful.push(part);
        throw error;
      }
    }),
  );
}

async function untilPaid(cast: Cast, { id, student, plan: { bank } }: PaymentRecord): Promise<PaymentView> {
  let answered = false;
  for (const deadline = performance.now() + RESTS_WITHIN_MS; performance.now() < deadline; ) {
    const reply = await askAs(cast.client, student, 'GET', `/api/payments/${id}`);
    if (reply.status !== 200) throw unexpected(`reading payment ${id}`, reply);
    const payment = paymentSchema.parse(reply.body);
    if (payment.status !== 'pending' && payment.status !== 'requires_action') return payment;
    const asksBank = payment.status === 'requires_action';
    if (asksBank && bank === 'abandon') return payment;
    if (asksBank && payment.clientSecret && !answered && (bank === 'complete' || bank === 'fail')) {
      await cast.bank(intentOf(payment.clientSecret), bank);
      answered = true;
    }
    await sleep(LOOK_EVERY_MS);
  }
  throw new Error(`payment ${id} was neither taken nor refused within ${RESTS_WITHIN_MS / 1_000} s`);
}

async function playSignUp({ client, run }: Cast, plan: SignUpPlan, records: Records): Promise<void> {
  await sleep(plan.pauseMs);
  const mark = `late${plan.number}${run}`;
  try {
    records.signUps.push({ plan, person: await signUp(client, plan.role, mark) });
  } catch (error) {
    if (error instanceof GaveUp) records.strangers.push(namesOf(mark));
    throw error;
  }
}

function pairOf({ students, tutors }: Cast, plan: { student: number; tutor: number }) {
  const student = students[plan.student];
  const tutor = tutors[plan.tutor];
  if (!student || !tutor) throw new Error('The script names somebody who is not in the cast');
  return { student, tutor };
}

const intentOf = (clientSecret: string) => clientSecret.split('_secret')[0] ?? '';

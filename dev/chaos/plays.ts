import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../machine/error-code';
import { cancel, change, command } from './changes';
import { askingOnce, GaveUp } from './client';
import { notingGiveUp, playPayment } from './payment-plays';
import { namesOf, signUp } from './people';
import { sessionOf } from './places';
import type { BookingPlan, Plan, SignUpPlan } from './plan';
import type { BookingRecord, Cast, Records } from './records';
import { newRecord, noteRequest, read, request, untilItRests } from './requests';
import { together } from './together';

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

async function playBooking(cast: Cast, plan: BookingPlan, records: Records): Promise<void> {
  const record = newRecord(cast, plan, sessionOf(plan));
  records.bookings.push(record);
  await sleep(plan.pauseMs);
  await notingGiveUp(record, () => bookAndChange(cast, record, records));
}

async function bookAndChange(cast: Cast, record: BookingRecord, records: Records): Promise<void> {
  const { plan } = record;
  const asked = await request(cast, record);
  noteRequest(record, asked);
  if (asked.status >= 300 || record.id === undefined) return;
  const booking = await untilItRests(cast, record);
  if (plan.timePasses) {
    await cast.letTimePass(record.id);
    record.aged = true;
  }
  if (booking.statusReason === 'awaiting_payment') {
    if (plan.studentCancels !== 'never') await cancel(cast, record, 'student');
    return;
  }
  await sleep(plan.pauseMs);
  if (booking.statusReason === 'awaiting_tutor') {
    if (plan.lapses) record.lapsed = await cast.dashboard.cancelAuthorisation(record.id);
    await decide(cast, record);
  }
  const is = await read(cast, record);
  if (is.status === 'confirmed') await change(cast, record, is, records);
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

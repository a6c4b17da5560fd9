import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { GaveUp, type Reply } from './client';
import { disputing } from './dispute-plays';
import { askAs } from './people';
import { beforeMove, claimOf, sessionOf } from './places';
import type { BookingPlan, PartialRefund } from './plan';
import type { BookingRecord, Cast, Doubt, Records, Span } from './records';
import { newRecord, noteRequest, request, startOf } from './requests';
import { together } from './together';
import type { BookingView } from './wire';

/** What people do to a session that is confirmed: it is moved, a part is given back, it is cancelled. */
export async function change(cast: Cast, record: BookingRecord, booking: BookingView, records: Records): Promise<void> {
  const { plan } = record;
  for (const index of plan.moves.keys()) {
    await together([move(cast, record, index), claim(cast, record, index, records)]);
    await sleep(plan.pauseMs);
  }
  const refunds = (when: PartialRefund['when']) => plan.refunds.filter((one) => one.when === when);
  const end = async () => {
    for (const refund of refunds('before')) await giveBack(cast, record, booking, refund);
    const racing = plan.studentCancels === 'racing' && record.cancels.length === 0;
    const works = refunds('beside').map((refund) => giveBack(cast, record, booking, refund));
    if (plan.studentCancels === 'confirmed' || racing) works.push(cancel(cast, record, 'student'));
    if (plan.tutorCancels) works.push(cancel(cast, record, 'tutor'));
    await together(works);
  };
  if (!booking.payment) throw new Error(`booking ${booking.id} is confirmed and shows no payment`);
  await disputing(cast, { paymentId: booking.payment.id, payee: record.tutor }, plan.dispute, records, end);
}

async function move({ client, neighbours, ...cast }: Cast, record: BookingRecord, index: number): Promise<void> {
  const { plan, id } = record;
  const planned = plan.moves[index];
  if (!planned) return;
  const { by, to: slot } = planned;
  const scheduledAt = startOf(cast, slot);
  const wanted = {
    byTutor: neighbours.ofTutor(sessionOf(plan), plan.tutor, slot),
    byStudent: neighbours.ofStudent(sessionOf(plan), plan.student, slot),
  };
  const { refundPercent } = slot;
  const made: BookingRecord['moves'][number] = { by, to: scheduledAt, refundPercent, wanted };
  record.moves.push(made);
  const call = { key: randomUUID(), body: { scheduledAt } };
  made.reply = await askAs(client, record[by], 'PATCH', `/api/bookings/${id}`, call);
}

const CLAIMS = 2;
const CLAIMED_AGAIN_AFTER_MS = 300;

/** Somebody else asks for the time that the session is about to leave: in the moment of the move, and once more if it was refused. */
async function claim(cast: Cast, mover: BookingRecord, index: number, records: Records): Promise<void> {
  const student = mover.plan.moves[index]?.claimedBy;
  if (student === undefined) return;
  const plan: BookingPlan = {
    ...mover.plan,
    ...{ student, slot: beforeMove(mover.plan, index), rivalOf: undefined, copies: 1 },
    ...{ card: 'pm_card_visa', bank: 'none', declines: false },
    ...{ answer: 'none', studentCancels: 'never', tutorCancels: false },
    ...{ moves: [], refunds: [], timePasses: false, lapses: false, dispute: undefined },
  };
  for (let times = 0; times < CLAIMS; times++) {
    const record = newRecord(cast, plan, claimOf(mover.plan, index));
    records.bookings.push(record);
    try {
      noteRequest(record, await request(cast, record));
    } catch (error) {
      if (!(error instanceof GaveUp)) throw error;
      record.gaveUp = true;
      return;
    }
    if (record.asked && record.asked.status < 300) return;
    await sleep(CLAIMED_AGAIN_AFTER_MS);
  }
}

async function giveBack(
  { client, dashboard }: Cast,
  record: BookingRecord,
  { id, price, payment }: BookingView,
  { by, percent, when, losesWebhooks }: PartialRefund,
): Promise<void> {
  if (!price || !payment) throw new Error(`booking ${id} is confirmed and shows no payment`);
  const amount = Math.round((price.amount * percent) / 100);
  const given: BookingRecord['refunds'][number] = { by, amount, beside: when === 'beside' };
  record.refunds.push(given);
  if (by === 'dashboard') {
    given.made = await dashboard.refund(id, amount, losesWebhooks);
    return;
  }
  const call = { key: randomUUID(), body: { amount: { amount, currency: price.currency }, reason: 'As agreed' } };
  given.reply = await askAs(client, record.tutor, 'POST', `/api/payments/${payment.id}/refund`, call);
}

export async function cancel(cast: Cast, record: BookingRecord, by: 'student' | 'tutor'): Promise<void> {
  const at: Span = { from: Date.now(), to: Number.POSITIVE_INFINITY };
  record.cancelledAt.push({ by, at });
  const reply = await command(cast, record, by, 'cancel', 'I am ill');
  at.to = Date.now();
  record.cancels.push({ by, reply });
}

/** @throws GaveUp after noting the command as doubtful */
export async function command(
  { client }: Cast,
  record: BookingRecord,
  by: 'student' | 'tutor',
  what: 'confirm' | 'decline' | 'cancel',
  reason?: string,
): Promise<Reply> {
  const call = { key: randomUUID(), body: reason === undefined ? undefined : { reason } };
  const doubt: Doubt = what === 'cancel' ? `cancel by ${by}` : what;
  try {
    return await askAs(client, record[by], 'POST', `/api/bookings/${record.id}/${what}`, call);
  } catch (error) {
    if (error instanceof GaveUp) record.doubts.push(doubt);
    throw error;
  }
}

import { freeSlot, openForBookings, type Person, register, SUBJECT } from './cast';
import { expectThat } from './gateway';
import { book, expectMails, expectMoney, type Stage, untilBooking } from './stage';
import type { StoryOutcome } from './timeline';
import { bookingSchema, inWords, when } from './wire';

/** Ten hours before the start a student gets half back; the terms say so between 24 and 4 hours. */
const HOURS_BEFORE = 10;

/** Story C: the tutor confirms, then the student cancels late and gets half back. */
export async function tutorWhoConfirms(stage: Stage, student: Person): Promise<StoryOutcome> {
  const { gateway, run } = stage;
  const timeline = stage.timeline.of('confirm');
  stage.timeline.heading('C  The tutor must confirm, and the student cancels ten hours before the start');
  const tutor = await register(gateway, timeline, { firstName: 'Emmy', lastName: 'Noether', role: 'tutor', run });
  await openForBookings(gateway, timeline, tutor, false);
  const start = await freeSlot(gateway, timeline, tutor, HOURS_BEFORE);
  const { body: asked } = await book(
    stage,
    timeline,
    { student, tutor, subject: SUBJECT, start, paymentMethodId: 'pm_card_visa', story: 'confirmed' },
    { status: [201], what: `Ada asks for ${when(start)}` },
  );
  const waits = `${asked.status}, ${asked.statusReason}, payment ${asked.payment?.status}`;
  expectThat(timeline, 'it waits for the tutor', waits === 'pending, awaiting_tutor, payment authorized', waits);
  await expectMoney(stage, timeline, asked.id, { charges: 1, captured: 0, refunded: 0 });
  await expectMails(stage, timeline, asked.id, [tutor], `New request: ${SUBJECT}`);

  const { body: confirmed } = await gateway(timeline, bookingSchema, 'POST', `/api/bookings/${asked.id}/confirm`, {
    token: tutor.token,
    expect: [200],
    what: 'Emmy confirms',
  });
  const { price } = confirmed;
  const taken = `${confirmed.status}, ${confirmed.payment?.status}`;
  expectThat(timeline, `confirmed, and ${inWords(price)} were captured`, taken === 'confirmed, captured', taken);
  await expectMoney(stage, timeline, asked.id, { charges: 1, captured: price.amount, refunded: 0 });

  await gateway(timeline, bookingSchema, 'POST', `/api/bookings/${asked.id}/cancel`, {
    token: student.token,
    body: { reason: 'The exam was moved' },
    expect: [200],
    what: 'Ada cancels',
  });
  const half = Math.ceil(price.amount / 2);
  const cancelled = await untilBooking(stage, timeline, student, asked.id, {
    what: 'cancelled with half refunded',
    is: ({ status, payment }) => status === 'cancelled' && payment?.refunded.amount === half,
    withinMs: 60_000,
  });
  const back = inWords({ ...price, amount: half });
  expectThat(
    timeline,
    `cancelled by the student, half is given back: ${back}`,
    cancelled.statusReason === 'cancelled_by_student',
  );
  await expectMoney(stage, timeline, asked.id, { charges: 1, captured: price.amount, refunded: half });
  await expectMails(stage, timeline, asked.id, [student, tutor], `Cancelled: ${SUBJECT}`);
  timeline.aside(`saga ${stage.sagaUrl(asked.workflowId)}`);
  return {
    story: 'C',
    what: 'Tutor confirms, late cancel',
    booking: asked.id,
    outcome: `cancelled, ${back} of ${inWords(price)} refunded`,
  };
}

import { freeSlot, openForBookings, type Person, register, SUBJECT } from './cast';
import { expectThat } from './gateway';
import { book, expectMails, expectMoney, type Stage, untilBooking } from './stage';
import type { StoryOutcome } from './timeline';
import { bookingSchema, inWords, when } from './wire';

/** So near the start a student would get half back, but for a quarter of an hour after asking it is everything. */
const HOURS_BEFORE = 10;

/** Story C: the tutor confirms, then the student thinks better of it and gets everything back. */
export async function tutorWhoConfirms(
  stage: Stage,
  student: Person,
): Promise<{ tutor: Person; outcome: StoryOutcome }> {
  const { gateway, run } = stage;
  const timeline = stage.timeline.of('confirm');
  stage.timeline.heading('C  The tutor must confirm, and the student thinks better of it at once');
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
  await expectMails(stage, timeline, asked.id, [tutor], 'New request: ');

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
  const refunded = await untilBooking(stage, timeline, student, asked.id, {
    what: 'cancelled and refunded',
    is: ({ status }) => status === 'refunded',
    withinMs: 60_000,
  });
  const back = inWords(price);
  expectThat(
    timeline,
    `cancelled by the student, everything is given back: ${back}`,
    refunded.statusReason === 'cancelled_by_student' && refunded.payment?.refunded.amount === price.amount,
  );
  await expectMoney(stage, timeline, asked.id, { charges: 1, captured: price.amount, refunded: price.amount });
  await expectMails(stage, timeline, asked.id, [student, tutor], 'Cancelled: ');
  timeline.aside(`saga ${stage.sagaUrl(asked.workflowId)}`);
  const outcome = {
    story: 'C',
    what: 'Tutor confirms, then a cancel',
    id: asked.id,
    outcome: `refunded, all of ${back}`,
  };
  return { tutor, outcome };
}

import { freeSlot, openForBookings, type Person, register, SUBJECT } from './cast';
import { expectThat } from './gateway';
import { book, expectMails, expectMoney, type Stage } from './stage';
import type { StoryOutcome } from './timeline';
import { inWords, tutorsSchema, when } from './wire';

/** Story A: sign up, find a tutor, book, done. */
export async function instantTutor(stage: Stage): Promise<{ student: Person; tutor: Person; outcome: StoryOutcome }> {
  const { gateway, run } = stage;
  const timeline = stage.timeline.of('instant');
  stage.timeline.heading('A  A student books a tutor who takes bookings at once');
  const tutor = await register(gateway, timeline, { firstName: 'Grace', lastName: 'Hopper', role: 'tutor', run });
  await openForBookings(gateway, timeline, tutor, true);
  const student = await register(gateway, timeline, { firstName: 'Ada', lastName: 'Lovelace', role: 'student', run });

  const search = `/api/tutors?subject=${SUBJECT}&maxPrice=5000&currency=EUR&sort=newest`;
  const found = await gateway(timeline, tutorsSchema, 'GET', search, {
    expect: [200],
    what: `Ada looks for somebody who teaches ${SUBJECT} for at most 50 an hour`,
    note: (reply) => `${tutorsSchema.parse(reply).items.length} found`,
  });
  expectThat(
    timeline,
    `${tutor.name} is among them`,
    found.body.items.some(({ id }) => id === tutor.id),
  );

  const start = await freeSlot(gateway, timeline, tutor, 30);
  const { body: booking } = await book(
    stage,
    timeline,
    { student, tutor, subject: SUBJECT, start, paymentMethodId: 'pm_card_visa', story: 'instant' },
    { status: [201], what: `Ada books ${when(start)}` },
  );
  const paid = booking.payment?.captured.amount;
  expectThat(timeline, 'the booking is confirmed', booking.status === 'confirmed', booking.status);
  expectThat(timeline, `${inWords(booking.price)} were taken`, paid === booking.price.amount, String(paid));
  await expectMoney(stage, timeline, booking.id, { charges: 1, captured: booking.price.amount, refunded: 0 });
  await expectMails(stage, timeline, booking.id, [student, tutor], 'Confirmed: ');
  timeline.aside(`saga ${stage.sagaUrl(booking.workflowId)}`);
  return {
    student,
    tutor,
    outcome: {
      story: 'A',
      what: 'Instant tutor',
      id: booking.id,
      outcome: `confirmed, ${inWords(booking.price)} taken`,
    },
  };
}

import { freeSlot, isFree, type Person, SUBJECT } from './cast';
import { expectThat } from './gateway';
import { expectMoney, readBooking, type Stage } from './stage';
import type { StoryOutcome } from './timeline';
import { declinedSchema, when } from './wire';

/** Story B: the card is declined, and everything is as before. */
export async function declinedCard(stage: Stage, student: Person, tutor: Person): Promise<StoryOutcome> {
  const { gateway, run } = stage;
  const timeline = stage.timeline.of('decline');
  stage.timeline.heading('B  The card is declined');
  const start = await freeSlot(gateway, timeline, tutor, 50);
  const { body: refused } = await gateway(timeline, declinedSchema, 'POST', '/api/bookings', {
    token: student.token,
    key: `demo-${run}-declined`,
    body: {
      tutorId: tutor.id,
      subject: SUBJECT,
      scheduledAt: start,
      durationMinutes: 60,
      paymentMethodId: 'pm_card_visa_chargeDeclined',
    },
    expect: [402],
    what: `Ada books ${when(start)} with a card that is declined`,
    note: (reply) => declinedSchema.safeParse(reply).data?.bookingId,
  });
  expectThat(
    timeline,
    `the reason is given: ${refused.declineCode}`,
    refused.code === 'payment_declined',
    refused.code,
  );
  const booking = await readBooking(stage, timeline, student, refused.bookingId);
  const reason = `${booking.status}, ${booking.statusReason}`;
  expectThat(timeline, 'the booking is cancelled', reason === 'cancelled, payment_declined', reason);
  expectThat(timeline, 'the slot is free again', await isFree(gateway, timeline, tutor, start));
  await expectMoney(stage, timeline, booking.id, { charges: 0, captured: 0, refunded: 0 });
  timeline.aside(`saga ${stage.sagaUrl(booking.workflowId)}`);
  return {
    story: 'B',
    what: 'Declined card',
    id: booking.id,
    outcome: 'cancelled, slot free, no money moved',
  };
}

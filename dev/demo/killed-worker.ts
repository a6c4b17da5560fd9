import { until } from '../processes/identify';
import { freeSlot, type Person, SUBJECT } from './cast';
import { ExpectationError, expectThat } from './gateway';
import { book, expectMails, expectMoney, readBooking, type Stage, untilBooking } from './stage';
import type { StoryOutcome } from './timeline';
import { inWords, when } from './wire';

/**
 * How long Stripe's answer is held back after the charge: time to kill the worker before anybody knows of the charge.
 */
const ANSWER_LATE_MS = 5_000;
/**
 * Temporal gives an attempt up after 8 s without a heartbeat (`workflows/activity-options.ts`). The next attempt
 * looks the charge up.
 */
const COMPLETES_WITHIN_MS = 180_000;

/**
 * Story D: the worker is killed after Stripe took the money and before anybody was told. Resolves once the worker is dead, with
 * the rest of the story, which others can play before: Temporal waits for the lost attempt to time out.
 */
export async function killedWorker(
  stage: Stage,
  student: Person,
  tutor: Person,
): Promise<{ rest: () => Promise<StoryOutcome> } | undefined> {
  const { gateway, stripe } = stage;
  const timeline = stage.timeline.of('crash');
  stage.timeline.heading('D  The worker is killed between the charge and the confirmation');
  if (!stripe) {
    timeline.aside("left out: only the sandbox can hold Stripe's answer back");
    return undefined;
  }
  const start = await freeSlot(gateway, timeline, tutor, 70);
  const before = await stripe.chargedBookings();
  await stripe.answerNextChargeLate(ANSWER_LATE_MS);
  timeline.step(`Stripe will charge at once and answer ${ANSWER_LATE_MS / 1_000} s later`);
  const answered = book(
    stage,
    timeline,
    { student, tutor, subject: SUBJECT, start, paymentMethodId: 'pm_card_visa', story: 'crash' },
    { status: [201, 202] },
  );
  answered.catch(() => undefined); // awaited by the rest
  const bookingId = await newlyCharged(stage, before).catch(async (error: unknown) => {
    await stripe.calm(); // a fault that was not used up would meet another payment
    throw error;
  });
  timeline.step('The money is taken, and nobody knows yet', { note: bookingId });
  const { killed, startedAgain } = await stage.killBookingWorker();
  timeline.step(`kill -9 of the worker (process ${killed})`);
  const meanwhile = await readBooking(stage, timeline, student, bookingId);
  expectThat(timeline, 'the booking is still pending', meanwhile.status === 'pending', meanwhile.status);
  timeline.step(`The worker was started again (process ${await startedAgain})`);
  timeline.aside(
    'Temporal misses the heartbeat of the lost attempt within 8 s and tries again; other stories go on meanwhile',
  );
  return { rest };

  async function rest(): Promise<StoryOutcome> {
    const { status } = await answered;
    timeline.step(`Ada's booking for ${when(start)} was answered`, { status, note: bookingId });
    const booking = await untilBooking(stage, timeline, student, bookingId, {
      what: 'confirmed',
      is: ({ status }) => status === 'confirmed',
      withinMs: COMPLETES_WITHIN_MS,
    });
    const { price } = booking;
    timeline.step('The saga went on where it was: the booking is confirmed', { note: bookingId });
    await expectMoney(stage, timeline, bookingId, { charges: 1, captured: price.amount, refunded: 0 });
    await expectMails(stage, timeline, bookingId, [student, tutor], 'Confirmed: ');
    timeline.aside(`saga ${stage.sagaUrl(booking.workflowId)}`);
    return {
      story: 'D',
      what: 'Worker killed after the charge',
      id: bookingId,
      outcome: `confirmed, ${inWords(price)} taken once`,
    };
  }
}

async function newlyCharged({ stripe }: Stage, before: Set<string>): Promise<string> {
  let found: string | undefined;
  await until(
    async () => {
      found = [...((await stripe?.chargedBookings()) ?? [])].find((id) => !before.has(id));
      return found !== undefined;
    },
    20_000,
    20,
  );
  if (!found) throw new ExpectationError('No charge arrived at Stripe within 20 s');
  return found;
}

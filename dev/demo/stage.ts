import { setTimeout as sleep } from 'node:timers/promises';
import type { Calendar } from './calendar';
import type { Person } from './cast';
import type { DatabaseHolder } from './database-holder';
import { ExpectationError, expectThat, type Gateway } from './gateway';
import type { MailView, StripeView } from './outside';
import type { Timeline } from './timeline';
import { bookingSchema, type DemoBooking } from './wire';

/** What the stories play on. */
export interface Stage {
  /** New in every run, so that nothing meets what an earlier run left. */
  run: string;
  gateway: Gateway;
  timeline: Timeline;
  /** Undefined where a setting names a mail server or a Stripe: the demo cannot look into those. */
  mails: MailView | undefined;
  stripe: StripeView | undefined;
  /** Undefined where a setting names a Postgres: the demo lets no days pass there. */
  calendar: Calendar | undefined;
  /** The same: the demo makes nobody an administrator there. */
  holder: DatabaseHolder | undefined;
  /** The saga's page in Temporal's Web UI. */
  sagaUrl(workflowId: string): string;
  /** Kills the process of the booking sagas' worker by SIGKILL, and waits for the next one. */
  killBookingWorker(): Promise<{ killed: number; startedAgain: Promise<number> }>;
}

/** Asks for a session of an hour. Retries under the same key are the same request. */
export function book(
  { gateway, run }: Stage,
  timeline: Timeline,
  options: { student: Person; tutor: Person; subject: string; start: string; paymentMethodId: string; story: string },
  expect: { status: number[]; what?: string },
) {
  const { student, tutor, subject, start, paymentMethodId, story } = options;
  return gateway(timeline, bookingSchema, 'POST', '/api/bookings', {
    token: student.token,
    key: `demo-${run}-${story}`,
    body: { tutorId: tutor.id, subject, scheduledAt: start, durationMinutes: 60, paymentMethodId },
    expect: expect.status,
    ...(expect.what && { what: expect.what }),
    note: (reply) => bookingSchema.safeParse(reply).data?.id,
  });
}

export async function readBooking(
  { gateway }: Stage,
  timeline: Timeline,
  who: Person,
  id: string,
): Promise<DemoBooking> {
  const path = `/api/bookings/${id}`;
  return (await gateway(timeline, bookingSchema, 'GET', path, { token: who.token, expect: [200] })).body;
}

/** Reads the booking until it is as wanted. @throws ExpectationError when it is not in time */
export async function untilBooking(
  stage: Stage,
  timeline: Timeline,
  who: Person,
  id: string,
  wanted: { what: string; is: (booking: DemoBooking) => boolean; withinMs: number },
): Promise<DemoBooking> {
  const deadline = performance.now() + wanted.withinMs;
  for (;;) {
    const booking = await readBooking(stage, timeline, who, id);
    if (wanted.is(booking)) return booking;
    if (performance.now() > deadline) {
      const { status, statusReason, payment } = booking;
      throw new ExpectationError(
        `Booking ${id} should have become ${wanted.what} within ${wanted.withinMs / 1_000} s; it is ${status} (${statusReason}), its payment ${payment?.status}`,
      );
    }
    await sleep(250);
  }
}

/** Checks that each got a mail about a booking, payout or dispute, with these words in it; says so when mails cannot be looked at. */
export async function expectMails(
  { mails }: Stage,
  timeline: Timeline,
  id: string,
  people: Person[],
  subjectSays: string,
  ...words: string[]
): Promise<void> {
  if (!mails) return timeline.aside('mails go to the server of SMTP_URL and are not checked');
  for (const person of people) {
    const subject = await mails.arrived(person.email, subjectSays, [id, ...words]);
    const mail = `the mail “${subject ?? `…${subjectSays}…`}”`;
    const saying = words.length > 0 ? `, which says ${words.map((word) => `“${word}”`).join(', ')}` : '';
    expectThat(timeline, `${person.name} got ${mail}${saying}`, subject !== undefined, 'no such mail');
  }
}

/** Checks the money of a booking at Stripe itself; says so when it cannot be looked at. */
export async function expectMoney(
  { stripe }: Stage,
  timeline: Timeline,
  bookingId: string,
  expected: { charges: number; captured: number; refunded: number },
): Promise<void> {
  if (!stripe) return timeline.aside('the money is at the Stripe of STRIPE_SECRET_KEY and is not checked there');
  const { charges, captured, refunded } = await stripe.moneyOf(bookingId);
  const inWords = (money: typeof expected) =>
    `${money.charges} charge${money.charges === 1 ? '' : 's'}, ${money.captured} captured, ${money.refunded} refunded`;
  const same = charges === expected.charges && captured === expected.captured && refunded === expected.refunded;
  expectThat(timeline, `at Stripe: ${inWords(expected)}`, same, inWords({ charges, captured, refunded }));
}

import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Sql } from 'postgres';
import { startThrowawayPostgres } from '../dev/postgres/throwaway';
import type { DatabaseContext } from '../kernel/modules';
import type { EventSchemas } from '../platform/event-schema';
import { bookingEvents } from '../services/booking/events';
import { identityEvents } from '../services/identity/events';
import { notificationEvents } from '../services/notification/events';
import { paymentEvents } from '../services/payment/events';
import { tutoringEvents } from '../services/tutoring/events';
import { migrated } from './support/migrated';
import { ROOT } from './support/repository';

// Events as they were written before anything said what may be in them.

let server: Awaited<ReturnType<typeof startThrowawayPostgres>>;
beforeAll(async () => {
  server = await startThrowawayPostgres();
}, 60_000);
afterAll(() => server.stop());

const MIGRATION = '_events_without_names';
const NAME = 'Łukasz Nowak';
const AT = new Date().toISOString();
const [student, tutor, admin] = [randomUUID(), randomUUID(), randomUUID()];
const [bookingId, paymentId, refundId] = [randomUUID(), randomUUID(), randomUUID()];
const money = { amount: 4_500, currency: 'EUR' };

/** Types of which there was none when it was migrated. */
const SINCE =
  /^(?:.+Baseline|(?:Payment|Refund|Payout)Changed|LedgerTransactionPosted|TutorReviewReceived|BookingRefunded|User(?:Password|Email)Changed|User(?:Suspended|Reinstated)|Identity(?:Linked|Unlinked)|UserSecondFactor(?:Added|Removed)|UserPasskey(?:Added|Removed)|BookingRefundReversed)$/;

type Row = [type: string, streamId: string, data: Record<string, unknown>];

/** Writes events as the code of before does. */
async function write(sql: Sql, rows: readonly Row[], from = 1): Promise<void> {
  for (const [index, [type, streamId, data]] of rows.entries())
    await sql`insert into events (event_id, stream_id, version, type, data)
      values (${randomUUID()}, ${streamId}, ${from + index}, ${type}, ${sql.json(JSON.parse(JSON.stringify(data)))})`;
}

/** The data of all events, once each is found to conform, and nobody to be named. */
async function conforming(sql: Sql, schemas: EventSchemas): Promise<Record<string, unknown>[]> {
  const found = await sql<{ type: string; data: Record<string, unknown> }[]>`
    select type, data from events order by position`;
  for (const { type, data } of found)
    expect({ type, fault: schemas[type]?.safeParse(data).error?.message }).toEqual({ type, fault: undefined });
  expect(await sql`select from events where events::text ~ ${NAME.replace(' ', '|')}`).toEqual([]);
  return found.map(({ data }) => data);
}

function migrationOf(context: DatabaseContext): string {
  const folder = join(ROOT, 'db/migrations', context);
  const file = readdirSync(folder).find((name) => name.endsWith(`${MIGRATION}.sql`));
  return readFileSync(join(folder, String(file)), 'utf8');
}

/**
 * What becomes of a row of every type that a context has. The same becomes of rows that services of before write while the migration is
 * done already, once its statements are run again, which change no row that conforms.
 */
async function afterwards(context: DatabaseContext, schemas: EventSchemas, rows: Row[], about = async (_: Sql) => {}) {
  const ofBefore = Object.keys(schemas).filter((type) => !SINCE.test(type));
  expect([...new Set(rows.map(([type]) => type))].toSorted()).toEqual(ofBefore.toSorted());
  return migrated(
    server,
    { context, name: MIGRATION, alone: true },
    async (sql) => {
      await about(sql);
      await write(sql, rows);
    },
    async (sql) => {
      const found = await conforming(sql, schemas);
      expect(found).toHaveLength(rows.length);
      await write(sql, rows, rows.length + 1);
      await sql.unsafe(migrationOf(context));
      expect(await conforming(sql, schemas)).toEqual([...found, ...found]);
      return found;
    },
  );
}

test('what people said of themselves is gone from the events of identity', async () => {
  const userId = student;
  const session = { userId, sessionId: randomUUID() };
  const found = await afterwards('identity', identityEvents, [
    ['UserRegistered', userId, { userId, role: 'student' }],
    [
      'UserProfileUpdated',
      userId,
      { userId, displayName: NAME, avatarUrl: `https://x.example/${NAME}`, timeZone: 'Europe/Warsaw', locale: 'pl' },
    ],
    ['UserEmailVerified', userId, { userId }],
    ['UserRoleChanged', userId, { userId, from: 'student', to: 'admin' }],
    ['UserLoggedIn', session.sessionId, { ...session, by: 'password' }],
    ['UserLoggedOut', session.sessionId, { ...session, reason: 'logout' }],
  ]);
  expect(found[1]).toEqual({ userId, participantIds: [userId] });
  expect(found[5]).toEqual({ ...session, reason: 'logout', participantIds: [userId] });
});

test('the events of tutoring say whose they are, and not where they live', async () => {
  const tutorId = tutor;
  const slot = { bookingId, tutorId, state: 'held', start: AT, end: AT, expiresAt: AT };
  const certification = { tutorId, certificationId: randomUUID() };
  const options = [
    { id: randomUUID(), kind: 'hourly', price: money },
    { id: randomUUID(), kind: 'package', price: money, sessions: 5 },
  ];
  const found = await afterwards('tutoring', tutoringEvents, [
    ['TutorRegistered', tutorId, { tutorId }],
    ['TutorRemoved', tutorId, { tutorId }],
    ['TutorProfileCreated', tutorId, { tutorId, timeZone: 'Europe/Warsaw', instantBooking: true }],
    ['TutorProfileUpdated', tutorId, { tutorId, fields: ['timeZone', 'displayName'] }],
    ['TutorAvailabilityUpdated', tutorId, { tutorId, timeZone: 'Europe/Warsaw' }],
    ['TutorPricingChanged', tutorId, { tutorId, options }],
    ['TutorUnlisted', tutorId, { tutorId }],
    ['TutorCertificationAdded', tutorId, certification],
    ['TutorCertificationRemoved', tutorId, certification],
    ['TutorVerified', tutorId, { tutorId, verifiedBy: admin }],
    ...['Held', 'HoldExtended', 'HoldExpired', 'Moved', 'Released'].map((what): Row => [`Slot${what}`, tutorId, slot]),
    ...['Booked', 'Reserved'].map(
      (what): Row => [`Slot${what}`, tutorId, { ...slot, state: 'booked', expiresAt: null }],
    ),
  ]);
  const told = { tutorId, participantIds: [tutorId] };
  expect(found[2]).toEqual({ ...told, instantBooking: true });
  expect(found[3]).toEqual({ ...told, fields: ['timeZone', 'displayName'] });
  expect(found[4]).toEqual(told);
  expect(found[9]).toEqual({ ...told, verifiedBy: admin });
  expect(found[10]).toEqual({ ...slot, ...told });
});

test('the events of booking name its parties, and not what is taught', async () => {
  const parties = { studentId: student, tutorId: tutor };
  const of = (actor: string) => ({ bookingId, actor });
  const session = { ...parties, startsAt: AT, endsAt: AT };
  const cancelled = { ...of('student'), ...session, reason: 'cancelled_by_student' };
  const paid = { ...of('system'), ...parties, paymentId };
  const found = await afterwards(
    'booking',
    bookingEvents,
    [
      ['BookingRequested', bookingId, { ...of('student'), ...session, subject: `Maths for ${NAME}`, price: money }],
      ['BookingAwaitingTutor', bookingId, { ...of('system'), respondBy: AT }],
      ['BookingConfirmed', bookingId, { ...of('tutor'), ...session }],
      ['BookingRescheduled', bookingId, { ...of('tutor'), ...session, previousStart: AT }],
      ['BookingMeetingUrlChanged', bookingId, of('tutor')],
      ['BookingCancelled', bookingId, { ...cancelled, refundPercent: 50 }],
      // As the first ones told of a cancel.
      ['BookingCancelled', bookingId, { ...cancelled, refund: money, retained: money }],
      ['BookingCompleted', bookingId, { ...of('system'), ...session, statusReason: 'completed_by_time' }],
      ['PaymentProcessed', bookingId, { ...paid, status: 'captured', amount: money, captured: money, refunded: money }],
      ['RefundIssued', bookingId, { ...paid, refund: money }],
      ['RefundReversed', bookingId, { ...paid, refund: money }],
    ],
    async (sql) => {
      await sql`insert into booking_requests (id, student_id, tutor_id, subject, scheduled_at, duration_minutes)
        values (${bookingId}, ${student}, ${tutor}, ${NAME}, now(), 60)`;
      await sql`insert into bookings
          (id, student_id, tutor_id, status, subject, starts_at, ends_at, duration_minutes, instant_booking)
        values (${bookingId}, ${student}, ${tutor}, 'pending', ${NAME}, now(), now() + interval '1 hour', 60, false)`;
    },
  );
  const participantIds = [student, tutor];
  expect(found[0]).toEqual({ ...of('student'), ...session, price: money, participantIds });
  expect(found[1]).toEqual({ ...of('system'), respondBy: AT, participantIds });
  expect(found[5]).toEqual({ ...cancelled, refundPercent: 50, participantIds });
  expect(found[6]).toEqual({ ...cancelled, participantIds });
  expect(found[9]).toEqual({ ...paid, refund: money, participantIds });
});

test('the events of notification say whom they concern', async () => {
  const notificationId = randomUUID();
  const template = 'booking_confirmed_student';
  const notice = { notificationId, recipientId: student, template, channel: 'email', bookingId, paymentId: null };
  const found = await afterwards('notification', notificationEvents, [
    ['NotificationSent', notificationId, notice],
    ['NotificationFailed', notificationId, notice],
  ]);
  expect(found[0]).toEqual({ ...notice, participantIds: [student] });
});

test('the events of payment say whom they concern, also where they named nobody', async () => {
  const [payer, payee] = [student, tutor];
  const whose = { paymentId, bookingId, payerId: payer, payeeId: payee };
  const amounts = { paymentVersion: 2, captured: money, refunded: money };
  const payment = { ...whose, ...amounts, status: 'captured', amount: money };
  const refund = { ...whose, ...amounts, refundId, amount: money, paymentStatus: 'captured', paymentAmount: money };
  const [payoutId, debtId, disputeId] = [randomUUID(), randomUUID(), randomUUID()];
  const payout = { payoutId, payeeId: payee, status: 'pending', statusReason: null, amount: money };
  const debt = { debtId, payeeId: payee, status: 'open', amount: money, since: AT };
  const dispute = {
    disputeId,
    ...whose,
    status: 'needs_response',
    reason: 'fraudulent',
    amount: money,
    withdrawn: money,
  };
  const account = { userId: payee, role: 'tutor' };
  const found = await afterwards(
    'payment',
    paymentEvents,
    [
      ...['Requested', 'ActionRequired', 'Authorized', 'Succeeded', 'Voided'].map(
        (what): Row => [`Payment${what}`, paymentId, payment],
      ),
      ['PaymentFailed', paymentId, { ...payment, status: 'failed', declineCode: `Do not honour ${NAME}` }],
      ['PaymentFailed', paymentId, { ...payment, status: 'failed', declineCode: null }],
      ['EarningsReleased', paymentId, { paymentId, bookingId, payeeId: payee, released: money }],
      ['RefundRequested', refundId, { ...refund, status: 'pending' }],
      ['RefundProcessed', refundId, { ...refund, status: 'succeeded' }],
      ['RefundFailed', refundId, { ...refund, status: 'failed', failureCode: 'lost_or_stolen_card' }],
      ['RefundCovered', refundId, { refundId, paymentId, covered: money }],
      ['RefundSettledByHand', refundId, { refundId, paymentId, as: 'waived' }],
      ...['Initiated', 'Transferred', 'Completed', 'Cancelled'].map((what): Row => [`Payout${what}`, payoutId, payout]),
      ['PayoutFailed', payoutId, { ...payout, status: 'failed', statusReason: 'refused_by_bank', failureCode: NAME }],
      ['DebtOpened', debtId, debt],
      ['DebtRecovered', debtId, { ...debt, status: 'recovered' }],
      ['DebtSettled', debtId, { ...debt, status: 'settled', closedAs: 'waived' }],
      ...['Opened', 'Escalated', 'Submitted', 'Won', 'Lost', 'Closed'].map(
        (what): Row => [`Dispute${what}`, disputeId, dispute],
      ),
      ['DisputeStated', disputeId, { disputeId, paymentId }],
      ['StripeAccountOpened', payee, account],
      ['StripeAccountRemoved', payee, account],
    ],
    async (sql) => {
      await sql`insert into payments
          (id, subject_kind, subject_id, booking_id, payer_id, payee_id, status, capture, currency, amount, fee, payment_method_id)
        values (${paymentId}, 'booking', ${bookingId}, ${bookingId}, ${payer}, ${payee}, 'captured', 'manual', 'EUR', 4500, 0, 'pm_x')`;
    },
  );
  const both = { participantIds: [payer, payee] };
  const just = { participantIds: [payee] };
  expect(found[0]).toEqual({ ...payment, ...both });
  expect(found[5]).toEqual({ ...payment, ...both, status: 'failed', declineCode: 'other' });
  expect(found[6]).toEqual({ ...payment, ...both, status: 'failed', declineCode: null });
  expect(found[7]).toEqual({ paymentId, bookingId, payeeId: payee, released: money, ...just });
  expect(found[10]).toEqual({ ...refund, ...both, status: 'failed', failureCode: 'lost_or_stolen_card' });
  expect(found[11]).toEqual({ refundId, paymentId, covered: money, ...both });
  expect(found[12]).toEqual({ refundId, paymentId, as: 'waived', ...both });
  expect(found[13]).toEqual({ ...payout, ...just });
  expect(found[17]).toMatchObject({ failureCode: 'other', ...just });
  expect(found[18]).toEqual({ ...debt, ...just });
  expect(found[21]).toEqual({ ...dispute, ...both });
  expect(found[27]).toEqual({ disputeId, paymentId, ...both });
  expect(found[28]).toEqual({ ...account, ...just });
});

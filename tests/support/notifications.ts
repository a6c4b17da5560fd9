import type { Sql } from 'postgres';
import { uuidv7 } from '../../platform/ids';
import {
  type Contact,
  RecordNotification,
  recipientSaid,
  type TemplateName,
} from '../../services/notification/contract';
import type { Announcement } from '../../services/notification/store/saga-steps';
import { type Rendered, render } from '../../services/notification/templates';
import { until } from './gateway';
import type { Reply, TestService } from './service';

export const TEMPLATES: readonly TemplateName[] = RecordNotification.options.map(
  (option) => option.shape.template.value,
);

const BOOKING = {
  bookingId: '0199f1aa-0000-7000-8000-000000000001',
  subject: 'Mathematics',
  startsAt: '2030-03-04T09:00:00.000Z',
  durationMinutes: 60,
  otherName: 'Ada Lovelace',
  price: { amount: 4500, currency: 'EUR' },
  meetingUrl: 'https://meet.example/room',
};
const PAYMENT = {
  paymentId: '0199f1aa-0000-7000-8000-000000000002',
  bookingId: null,
  amount: { amount: 4500, currency: 'EUR' },
  description: 'Exam preparation',
};
const PAYOUT = { payoutId: uuidv7(), amount: { amount: 4_250, currency: 'EUR' } };
const DISPUTE = {
  ...{ disputeId: uuidv7(), paymentId: uuidv7(), bookingId: uuidv7(), amount: { amount: 4_500, currency: 'EUR' } },
  session: { subject: 'Mathematics', startsAt: '2030-03-04T09:00:00.000Z' },
};
const PAGE = { pageUrl: 'https://tutorconnect.example/somewhere' };
const CHANGE = { changeId: '0199f1aa-0000-7000-8000-000000000003' };
const LINKS = ['confirmUrl', 'forgotUrl', 'revertUrl'].map((name) => ({
  ...CHANGE,
  [name]: 'https://tutorconnect.example/api/auth/link?token=abc&x=1',
}));

/** What a template says beyond the facts above. */
const EXTRA: Partial<Record<TemplateName, Record<string, unknown>>> = {
  booking_requested_student: { respondBy: '2030-03-01T18:00:00.000Z' },
  booking_requested_tutor: { respondBy: '2030-03-01T18:00:00.000Z' },
  booking_cancelled_student: { refund: { amount: 2250, currency: 'EUR' }, cancelledBy: 'student' },
  booking_cancelled_tutor: { cancelledBy: 'tutor' },
  booking_failed_student: { because: 'platform_unavailable' },
  booking_failed_tutor: { because: 'platform_unavailable' },
  booking_rescheduled_student: { previousStart: '2030-03-03T09:00:00.000Z' },
  booking_rescheduled_tutor: { previousStart: '2030-03-03T09:00:00.000Z' },
  booking_reminder_student: { hoursBefore: 24 },
  booking_reminder_tutor: { hoursBefore: 1 },
  payout_completed: {
    lines: [
      { subject: 'Mathematics', startsAt: '2030-03-01T17:00:00.000Z', amount: 3_400 },
      { subject: null, startsAt: null, amount: 800 },
    ],
    others: 50,
  },
  payout_failed: { why: 'Your bank did not take it. The bank account has been closed.' },
  payout_waits: { waitsFor: 'awaiting_onboarding' },
  dispute_opened: { inquiry: false, sayBy: '2030-03-01T18:00:00.000Z' },
  dispute_reminder: { inquiry: false, sayBy: '2030-03-01T18:00:00.000Z' },
  dispute_decided: { outcome: 'won' },
  payment_action_required: { payBy: '2030-03-01T18:00:00.000Z' },
};

type Change = { data?: Record<string, unknown> } & Partial<Omit<RecordNotification, 'data' | 'template'>>;

/** A message of `template` as an activity of before would send it, so that nobody's contact has to be known; `change` replaces single fields. */
export function sampleMessage(template: TemplateName, { data = {}, ...recipient }: Change = {}): RecordNotification {
  return RecordNotification.parse({
    template,
    recipientId: uuidv7(),
    email: 'grace@example.com',
    recipientName: 'Grace Hopper',
    locale: 'en-GB',
    timeZone: 'Europe/Berlin',
    ...recipient,
    data: { ...sampleData(template), ...data },
  });
}

/** The same as it is read. */
export function sampleMail(template: TemplateName, publicUrl: string, change: Change = {}): Rendered {
  const message = sampleMessage(template, change);
  const recipient = recipientSaid(message);
  if (!recipient) throw new Error('nobody is named');
  return render(message, recipient, publicUrl);
}

/** A message of `template` as an activity sends it: it names its recipient, and says nothing more of them. */
export function noticeTo(recipientId: string, template: TemplateName, data: Record<string, unknown> = {}) {
  return { template, recipientId, usefulUntil: null, data: { ...sampleData(template), ...data } };
}

/** Where somebody is reached. */
export function contactOf(change: Partial<Contact> = {}): Contact {
  return {
    ...{ userId: uuidv7(), email: somebody(), emailVerified: true, name: 'Grace Hopper' },
    ...{ locale: 'en-GB', timeZone: 'Europe/Berlin', asOf: '2030-01-01T00:00:00.000Z' },
    ...change,
  };
}

function sampleData(template: TemplateName): Record<string, unknown> {
  if (template === 'welcome_verify_email' || template === 'verify_email')
    return { verifyUrl: 'https://tutorconnect.example/verify?token=abc&x=1' };
  if (template === 'password_reset') return { resetUrl: 'https://tutorconnect.example/reset?token=abc' };
  if (template === 'welcome') return { homeUrl: 'https://tutorconnect.example/' };
  if (template === 'role_changed') return { role: 'tutor' };
  const forgotUrl = 'https://tutorconnect.example/api/auth/forgot';
  if (/^sign_in_/.test(template)) return { provider: 'Google', forgotUrl };
  if (/^(?:password_changed|second_factor_|passkey_)/.test(template)) return { forgotUrl };
  if (template === 'prices_refused_tutor')
    return { refusedPrice: { amount: 4500, currency: 'XAF' }, because: 'currency' };
  const facts = [
    BOOKING,
    PAYMENT,
    PAYOUT,
    DISPUTE,
    { ...PAYMENT, otherName: 'Ada Lovelace' },
    PAGE,
    { ...PAGE, ...CHANGE },
    ...LINKS,
  ].map((some) => ({
    ...some,
    ...EXTRA[template],
  }));
  const { data } = RecordNotification.options.find((option) => option.shape.template.value === template)?.shape ?? {};
  const fitting = facts.find((some) => data?.safeParse(some).success);
  if (!fitting) throw new Error(`no facts here are those of ${template}`);
  return fitting;
}

/** A business key that nobody has used. */
export const newKey = () => `booking:${uuidv7()}/confirmed/student`;
/** An address that nobody else has. */
export const somebody = () => `${uuidv7()}@example.com`;

/** Records a message as an activity does, at `service` unless another is named. */
export const recordBy =
  (service: () => TestService) =>
  (body: unknown, key = newKey(), to = service()): Promise<Reply> =>
    to.internal('POST', '/internal/notifications', { key, body });

/** The status of what was recorded under `key`. */
export async function statusOf(service: TestService, key: string): Promise<string> {
  const [row] = await service.database.sql`select status from notifications where business_key = ${key}`;
  return String(row?.status);
}

/** Records a message and resolves with its status when its mail has been delivered or will never be. @throws Error when it was refused */
export const deliverBy =
  (service: () => TestService) =>
  async (body: unknown, key = newKey(), to = service()): Promise<string> => {
    const { status } = await recordBy(service)(body, key, to);
    if (status !== 200) throw new Error(`not recorded: ${status}`);
    await until(async () => (await statusOf(to, key)) !== 'pending');
    return statusOf(to, key);
  };

/** What `recordNotification` of the store is given for a message. */
export function announcement(change: Partial<Announcement> = {}): Announcement {
  return {
    businessKey: newKey(),
    recipientId: uuidv7(),
    template: 'booking_confirmed_student',
    title: 'Confirmed',
    message: 'Your session is confirmed.',
    bookingId: uuidv7(),
    paymentId: null,
    usefulUntil: null,
    facts: { keyId: 'key', iv: 'iv', ciphertext: 'sealed', tag: 'tag' },
    ...change,
  };
}

/** A row as the code of before left it when its caller was told to try again; `leased` while it is being sent. */
export async function rowOfBefore(
  sql: Sql,
  { leased = false, ...change }: Partial<Announcement> & { leased?: boolean } = {},
) {
  const row = announcement(change);
  const id = uuidv7();
  await sql`
    insert into notifications
      (id, business_key, recipient_id, template, title, message, booking_id, in_app, status, attempts, leased_until)
    values (${id}, ${row.businessKey}, ${row.recipientId}, ${row.template}, ${row.title}, ${row.message}, ${row.bookingId},
      true, 'pending', 1, case when ${leased} then now() + interval '30 seconds' end)`;
  await sql`
    insert into notification_delivery_log (notification_id, attempt, outcome, finished_at)
    values (${id}, 1, ${leased ? 'unknown' : 'unavailable'}, case when ${leased} then null else now() end)`;
  return { ...row, id };
}

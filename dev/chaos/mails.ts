import { messageId } from '../../services/notification/mailer';
import { readerFor } from '../../services/notification/templates/format';
import type { CaughtMail, ChaosEvidence } from './evidence';
import { grouped } from './grouped';

interface NotificationRow {
  business_key: string;
  recipient_id: string;
  template: string;
  booking_id: string | null;
  payment_id: string | null;
  status: string;
}

interface BookingRow {
  id: string;
  status: string;
  status_reason: string | null;
  refund_percent: number | null;
}

/** Mails that somebody has to get and did not get yet, in sentences. */
export async function mailsMissing(evidence: ChaosEvidence): Promise<string[]> {
  const [notices, bookings, payments, refunds, users, payouts, disputes] = await Promise.all([
    evidence.database('notification')<NotificationRow[]>`
      select business_key, recipient_id, template, booking_id, payment_id, status from notifications`,
    evidence.database('booking')<BookingRow[]>`select id, status, status_reason, refund_percent from bookings`,
    evidence.database('payment')<{ id: string }[]>`
      select id from payments where subject_kind = 'direct' and captured > 0 and status <> 'voided'`,
    // What is undone before the session was paid for is told with the end of the booking.
    evidence.database('payment')<{ id: string; tries: number }[]>`
      select id, tries from refunds where status = 'succeeded' and origin in ('request', 'stripe')`,
    evidence.database('identity')<{ id: string }[]>`select id from users where status = 'active'`,
    evidence.database('payment')<{ id: string; status: string }[]>`select id, status from payouts`,
    evidence.database('payment')<{ id: string; status: string }[]>`
      select id, status from disputes where decided_at is not null`,
  ]);
  // What was replaced was not sent for the sake of a newer notice, which is among these and has to be sent itself.
  const settled = notices.filter(({ status }) => status === 'sent' || status === 'replaced');
  const sent = new Set(
    settled.flatMap(({ template, ...about }) => [
      about.business_key,
      `${template} ${about.booking_id ?? about.payment_id}`,
      `${template} ${about.recipient_id}`,
    ]),
  );
  const wanted = [
    ...bookings.flatMap((booking) => templatesOf(booking).map((template) => `${template} ${booking.id}`)),
    ...payments.flatMap(({ id }) => [`payment_receipt ${id}`, `payment_received ${id}`]),
    ...refunds.map(({ id, tries }) => `refund:${id}/succeeded-${tries}`),
    ...users.map(({ id }) => `welcome_verify_email ${id}`),
    ...payouts.flatMap(({ id, status }) => KEYS_OF_ENDS[status]?.map((key) => `payout:${id}/${key}`) ?? []),
    ...disputes.map(({ id, status }) => `dispute:${id}/decided-${status}`),
  ];
  return [
    ...wanted.filter((mail) => !sent.has(mail)).map((mail) => `the mail ${mail} was not sent`),
    ...notices
      .filter((notice) => !settled.includes(notice))
      .map(({ business_key, status }) => `the mail ${business_key} is ${status}`),
  ];
}

/** What the payee is told of a payout when it is over, by the last words of its business key. */
const KEYS_OF_ENDS: Record<string, string[]> = { completed: ['completed'], failed: ['over'], cancelled: ['over'] };

/** What may be said under each key of a payout or a dispute. */
const SAID_OF: [RegExp, string][] = [
  [/^payout:.*\/completed$/, 'payout_completed'],
  [/^payout:.*\/over$/, 'payout_failed'],
  [/^payout:.*\/waits-/, 'payout_waits'],
  [/^dispute:.*\/opened-(?:inquiry|chargeback)$/, 'dispute_opened'],
  [/^dispute:.*\/reminder-/, 'dispute_reminder'],
  [/^dispute:.*\/decided-/, 'dispute_decided'],
];

/** Notices of payouts and disputes that say something else than they were made to say, in sentences. */
export function wrongWords(notices: readonly Pick<NotificationRow, 'business_key' | 'template'>[]): string[] {
  return notices
    .filter(({ business_key: key }) => /^(?:payout|dispute):/.test(key))
    .filter(({ business_key: key, template }) => !SAID_OF.some(([of, says]) => of.test(key) && says === template))
    .map(({ business_key: key, template }) => `the mail ${key} says ${template}`);
}

function templatesOf({ status, status_reason: reason, refund_percent: percent }: BookingRow): string[] {
  const both = (what: string) => [`booking_${what}_student`, `booking_${what}_tutor`];
  const wasPaid = status === 'confirmed' || percent !== null;
  return [
    ...(wasPaid ? both('confirmed') : []),
    ...(percent !== null ? both('cancelled') : []),
    ...(reason === 'awaiting_tutor' ? both('requested') : []),
    ...(reason === 'declined' ? ['booking_declined_student'] : []),
    ...(reason === 'platform_unavailable' ? ['booking_failed_student'] : []),
  ];
}

/** What the inboxes show: what a person would notice, and how many mails came twice by the one known limit. */
export async function judgeMails(
  evidence: ChaosEvidence,
): Promise<{ wrong: string[]; twice: string[]; mails: number }> {
  const [mails, notices, doubtful] = await Promise.all([
    evidence.mails(),
    evidence.database('notification')<{ business_key: string; template: string; status: string }[]>`
      select business_key, template, status from notifications where status in ('sent', 'replaced')`,
    evidence.database('notification')<{ business_key: string; attempts: string }[]>`
      select business_key, count(*) as attempts from notifications n
      join notification_delivery_log l on l.notification_id = n.id
      where outcome in ('unknown', 'unavailable') group by 1`,
  ]);
  const attempts = new Map(doubtful.map(({ business_key, attempts }) => [business_key, Number(attempts)]));
  const copies = grouped(mails, ({ headers }) => headers['message-id']);
  const wrong: string[] = [];
  const twice: string[] = [];
  for (const { business_key: key, status } of notices) {
    const came = copies.get(messageId(key, evidence.mailFrom))?.length ?? 0;
    copies.delete(messageId(key, evidence.mailFrom));
    // An attempt that nobody knows the end of may have sent what was replaced then.
    const mayHaveCome = (attempts.get(key) ?? 0) > 0;
    if (status === 'replaced') {
      if (came > 0 && !mayHaveCome) wrong.push(`the mail ${key} is recorded as replaced and arrived`);
    } else if (came === 0) wrong.push(`the mail ${key} is recorded as sent and did not arrive`);
    // Known limit (docs/decisions/0032): the mail server has the mail, and the sender or the server died before that
    // was recorded. Each such attempt may have brought one.
    else if (came > 1 && came <= 1 + (attempts.get(key) ?? 0)) twice.push(key);
    else if (came > 1)
      wrong.push(`the mail ${key} arrived ${came} times, after ${attempts.get(key) ?? 0} doubtful attempts`);
  }
  for (const [id] of copies) wrong.push(`a mail arrived that nobody recorded as sent: ${id}`);
  return {
    wrong: [...wrong, ...wrongWords(notices), ...saidTwice(mails), ...(await wrongPlaces(evidence, mails))],
    twice,
    mails: mails.length,
  };
}

/** What may be said twice in the same words: a session can come to the same time again, and two refunds can be of one amount. */
const SAID_AGAIN = /^(?:New time: |Your refund of )/;

/** The same words to the same person under different ids. */
function saidTwice(mails: CaughtMail[]): string[] {
  const once = mails.filter(({ subject }) => !SAID_AGAIN.test(subject));
  const same = grouped(once, ({ to, subject, text }) => JSON.stringify([to[0]?.address, subject, text]));
  return [...same.values()]
    .filter((group) => new Set(group.map(({ headers }) => headers['message-id'])).size > 1)
    .map(([first]) => `“${first?.subject}” was written to one person under several ids`);
}

/** Students whose last mail of a move does not say where the session is, in sentences. */
async function wrongPlaces(evidence: ChaosEvidence, mails: CaughtMail[]): Promise<string[]> {
  const [bookings, notices] = await Promise.all([
    evidence.database('booking')<{ id: string; starts_at: Date; locale: string; zone: string }[]>`
      select id, starts_at, student_locale as locale, student_time_zone as zone
      from bookings join booking_snapshots on booking_id = id where status = 'confirmed'`,
    evidence.database('notification')<{ booking_id: string; business_key: string }[]>`
      select booking_id, business_key from notifications
      where template = 'booking_rescheduled_student' and status = 'sent' order by created_at, id`,
  ]);
  const texts = new Map(mails.map(({ headers, text }) => [headers['message-id'], text.replaceAll(/\s+/g, ' ')]));
  const last = new Map(notices.map((notice) => [notice.booking_id, notice.business_key]));
  return bookings.flatMap(({ id, starts_at, locale, zone }) => {
    const key = last.get(id);
    const text = key === undefined ? undefined : texts.get(messageId(key, evidence.mailFrom));
    const says = `was moved to ${readerFor(locale, zone).when(starts_at.toISOString())}`;
    return text === undefined || text.includes(says) ? [] : [`the last mail of a move, ${key}, does not say “${says}”`];
  });
}

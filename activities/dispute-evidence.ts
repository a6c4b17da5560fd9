import { inUnits, type Money } from '../kernel/money';
import type { InternalBooking, TimelineItem } from '../services/booking/contract';
import type { Notice } from '../services/notification/contract';
import type { GatheredEvidence } from '../services/payment/contract';

// What the platform knows of a session, as a bank reads it: in English, times in UTC. It says what was recorded, and no more than that.

/** What evidence is made of. */
interface Known {
  session: Pick<
    InternalBooking,
    'subject' | 'tutorName' | 'tutorId' | 'studentName' | 'studentId' | 'scheduledAt' | 'durationMinutes' | 'price'
  > & { status: InternalBooking['status'] };
  history: readonly TimelineItem[];
  /** What a cancel of it gives back, in words; empty where nobody says. */
  terms: string;
  notices: readonly Notice[];
  /** What was taken. */
  paid: Money;
}

/** The log is limited to 20,000 characters (docs.stripe.com/api/disputes/evidence_object); a line has at most a hundred. */
const MOST_LINES = 190;

/** What speaks against a dispute of a session's payment. What is not known is left out. */
export function evidenceOf({ session, history, terms, notices, paid }: Known): GatheredEvidence {
  const { status, subject, durationMinutes, scheduledAt } = session;
  const [tutor, student] = [session.tutorName, session.studentName].map(printable);
  const lines = [...history.flatMap(eventLine), ...notices.flatMap((notice) => mailLine(notice, session))];
  const log = lines.toSorted((a, b) => a.at.localeCompare(b.at)).slice(-MOST_LINES);
  const isOff = status === 'cancelled' || status === 'refunded';
  return {
    product_description:
      `A tutoring session of ${durationMinutes} minutes in ${printable(subject)}, given by ${tutor} and booked by ${student} on TutorConnect. ` +
      `Its price was ${inWords(session.price)}, of which ${inWords(paid)} was taken from the card.`,
    ...(!isOff && { service_date: `${when(scheduledAt)}, for ${durationMinutes} minutes` }),
    ...(terms !== '' && { cancellation_policy_disclosure: `When it was booked, these terms held. ${terms}` }),
    ...(log.length > 0 && { access_activity_log: log.map(({ at, said }) => `${when(at)}: ${said}.`).join('\n') }),
  };
}

interface Line {
  at: string;
  said: string;
}

const PEOPLE = {
  student: 'the student',
  tutor: 'the tutor',
  operator: 'TutorConnect',
  system: 'TutorConnect',
} as const;

/** What is said of an event; nothing of one that says nothing to a bank. */
function eventLine({ at, type, actor, data }: TimelineItem): Line[] {
  const who = PEOPLE[actor];
  const said: Record<string, string | false> = {
    BookingRequested: 'the student asked for the session',
    BookingAwaitingTutor: 'the tutor was asked to confirm it',
    BookingConfirmed: actor === 'tutor' ? 'the tutor confirmed it' : 'it was confirmed',
    BookingRescheduled: typeof data.startsAt === 'string' && `${who} moved it to ${when(data.startsAt)}`,
    BookingMeetingUrlChanged: 'the tutor set the link of its online meeting',
    BookingCancelled: `${who} cancelled it${typeof data.refundPercent === 'number' ? `, with ${data.refundPercent} % to be given back` : ''}`,
    BookingCompleted:
      actor === 'tutor'
        ? 'the tutor reported that it took place'
        : 'it was completed, as nobody had cancelled it by two days after its end',
    PaymentProcessed: data.status === 'captured' && 'the payment was taken',
    RefundIssued: 'a refund was made',
    RefundReversed: 'a refund came back from its bank',
  };
  const words = Object.hasOwn(said, type) && said[type];
  return words ? [{ at, said: words }] : [];
}

/** Mails about a session and its payment, by what they are called here: `booking_confirmed_student`. */
function mailLine(notice: Notice, { studentId, tutorId }: Known['session']): Line[] {
  const { template, recipientId, status, recordedAt, sentAt } = notice;
  const to = { [studentId]: 'the student', [tutorId]: 'the tutor' }[recipientId];
  const [, name] = /^((?:booking|payment|refund)_.+?)(?:_student|_tutor)?$/.exec(template) ?? [];
  if (!to || name === undefined) return [];
  const became = status === 'sent' ? 'was handed to the mail server' : 'was not sent';
  return [{ at: sentAt ?? recordedAt, said: `an e-mail "${name.replaceAll('_', ' ')}" to ${to} ${became}` }];
}

const FORMAT = new Intl.DateTimeFormat('en-GB', { dateStyle: 'long', timeStyle: 'short', timeZone: 'UTC' });

function when(instant: string): string {
  return `${FORMAT.format(new Date(instant))} UTC`;
}

function inWords(money: Money): string {
  return `${inUnits(money)} ${money.currency}`;
}

/** What people typed, without what payment would refuse. */
function printable(typed: string): string {
  return typed.toWellFormed().replaceAll(/\p{Cc}+/gu, ' ');
}

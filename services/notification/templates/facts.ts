import { type Recipient, RecordNotification } from '../contract';
import { type Reader, readerFor, singleLine } from './format';
import { FAILURES, ROLES, refundInWords } from './messages';

/** What the words of a message may speak of, ready to be shown: one line each, in the recipient's zone and locale. */
export type Facts = Record<string, string | boolean>;

export interface Detail {
  label: string;
  value: string;
  link: boolean;
}

type Data = RecordNotification['data'];
type BookingData = Extract<Data, { startsAt: string }>;
type RefusedData = Extract<Data, { refusedPrice: unknown }>;
type PaymentData = Extract<Data, { description: unknown }>;
type PayoutData = Extract<Data, { payoutId: unknown }>;
type DisputeData = Extract<Data, { disputeId: unknown }>;

/** The facts of `message`. A fact that the message does not have is absent, and words that ask for it fail loudly. */
export function factsOf({ data }: RecordNotification, { locale, timeZone, emailVerified }: Recipient): Facts {
  const reader = readerFor(locale, timeZone);
  return {
    ...('otherName' in data && { other: singleLine(data.otherName) }),
    ...('startsAt' in data && bookingFacts(data, reader, emailVerified)),
    ...('provider' in data && { provider: singleLine(data.provider) }),
    ...('resetUrl' in data && { providers: data.providers.map(singleLine).join(', ') }),
    ...('amount' in data && { amount: reader.money(data.amount) }),
    ...('respondBy' in data && { respondBy: reader.when(data.respondBy) }),
    ...('previousStart' in data && { previousWhen: reader.when(data.previousStart) }),
    ...('hoursBefore' in data && { hours: hoursInWords(data.hoursBefore) }),
    ...('payBy' in data && { payBy: reader.when(data.payBy) }),
    ...('cancelledBy' in data && { byStudent: data.cancelledBy === 'student', byTutor: data.cancelledBy === 'tutor' }),
    ...('startsAt' in data && 'because' in data && FAILURES[data.because]),
    ...('role' in data && { role: ROLES[data.role], tutor: data.role === 'tutor' }),
    ...('why' in data && { why: data.why }),
    ...('waitsFor' in data && { forBank: data.waitsFor === 'awaiting_bank_account' }),
    ...('inquiry' in data && {
      inquiry: data.inquiry,
      sayBy: data.sayBy === null ? '' : reader.when(data.sayBy),
    }),
    ...('outcome' in data && { won: data.outcome === 'won', lost: data.outcome === 'lost' }),
    ...('refusedPrice' in data && refusedFacts(data, reader)),
    ...('refund' in data && {
      terms: data.terms ? refundInWords(data.terms) : '',
      refund: data.refund && data.refund.amount > 0 ? reader.money(data.refund) : '',
      refundIsZero: data.refund?.amount === 0,
    }),
  };
}

/** `message` with stand-ins for what people typed, for an address that may be somebody else's. A meeting link is not shown there either. */
export function unquoted(message: RecordNotification): RecordNotification {
  const { template, data } = message;
  const party = template.endsWith('_tutor') ? 'a student' : 'your tutor';
  const other = template.startsWith('booking_') ? party : 'another person';
  return RecordNotification.parse({
    ...message,
    data: {
      ...data,
      ...('subject' in data && { subject: 'tutoring' }),
      ...('session' in data && { session: data.session && { ...data.session, subject: 'tutoring' } }),
      ...('lines' in data && { lines: data.lines.map((line) => ({ ...line, subject: null })) }),
      ...('otherName' in data && { otherName: other }),
      ...('description' in data && { description: null }),
    },
  });
}

function bookingFacts(data: BookingData, reader: Reader, showsLink: boolean): Facts {
  return {
    topic: singleLine(data.subject),
    when: reader.when(data.startsAt),
    day: reader.day(data.startsAt),
    price: reader.money(data.price),
    meetingUrl: showsLink && data.meetingUrl !== null,
    linkMissing: data.meetingUrl === null,
  };
}

function refusedFacts({ refusedPrice, because }: RefusedData, reader: Reader): Facts {
  return {
    refusedPrice: reader.money(refusedPrice),
    currency: refusedPrice.currency,
    ofCurrency: because === 'currency',
  };
}

function hoursInWords(hours: number): string {
  return hours === 1 ? '1 hour' : `${hours} hours`;
}

/** Messages about a session that is to be held: only they show where. */
const TAKES_PLACE = /confirmed|rescheduled|reminder/;

/** The table under the message: the booking or payment in full. */
export function detailsOf({ template, data }: RecordNotification, recipient: Recipient): Detail[] {
  const { locale, timeZone, emailVerified } = recipient;
  const reader = readerFor(locale, timeZone);
  if ('startsAt' in data) return bookingDetails(data, reader, emailVerified && TAKES_PLACE.test(template));
  if ('payoutId' in data) return payoutDetails(data, reader);
  if ('disputeId' in data) return disputeDetails(data, reader);
  if ('amount' in data) return paymentDetails(data, reader);
  if ('refusedPrice' in data) return [detail('Price', reader.money(data.refusedPrice))];
  return [];
}

function bookingDetails(data: BookingData, reader: Reader, showsLink: boolean): Detail[] {
  return [
    detail('Session', singleLine(data.subject)),
    detail('With', singleLine(data.otherName)),
    detail('When', reader.when(data.startsAt)),
    detail('Time zone', reader.zone),
    detail('Duration', `${data.durationMinutes} minutes`),
    detail('Price', reader.money(data.price)),
    ...(showsLink && data.meetingUrl !== null ? [{ label: 'Meeting', value: data.meetingUrl, link: true }] : []),
  ];
}

function paymentDetails(data: PaymentData, reader: Reader): Detail[] {
  return [
    detail('Amount', reader.money(data.amount)),
    ...(data.description === null ? [] : [detail('For', singleLine(data.description))]),
    detail('Payment', data.paymentId),
  ];
}

function disputeDetails({ amount, session, paymentId, disputeId }: DisputeData, reader: Reader): Detail[] {
  return [
    detail('Amount', reader.money(amount)),
    ...(session === null
      ? []
      : [detail('Session', `${singleLine(session.subject)}, ${reader.when(session.startsAt)}`)]),
    detail('Payment', paymentId),
    detail('Dispute', disputeId),
  ];
}

/** What each session brought, and what else the amount is made of. */
function payoutDetails(data: PayoutData, reader: Reader): Detail[] {
  const { currency } = data.amount;
  const lines = 'lines' in data ? data.lines : [];
  const others = 'others' in data ? data.others : 0;
  return [
    ...lines.map(({ subject, startsAt, amount }) =>
      detail(
        [subject === null ? 'Payment' : singleLine(subject), startsAt && reader.day(startsAt)]
          .filter(Boolean)
          .join(', '),
        reader.money({ amount, currency }),
      ),
    ),
    ...(others === 0 ? [] : [detail('Earlier and others', reader.money({ amount: others, currency }))]),
    detail('Amount', reader.money(data.amount)),
    detail('Payout', data.payoutId),
  ];
}

function detail(label: string, value: string): Detail {
  return { label, value, link: false };
}

/** Where the message's button leads. Pages of the platform start with `publicUrl`. */
export function actionUrl(
  { template, data }: RecordNotification,
  { emailVerified }: Recipient,
  publicUrl: string,
): string {
  if ('verifyUrl' in data) return data.verifyUrl;
  if ('homeUrl' in data) return data.homeUrl;
  if ('resetUrl' in data) return data.resetUrl;
  if ('forgotUrl' in data) return data.forgotUrl;
  if ('confirmUrl' in data) return data.confirmUrl;
  if ('revertUrl' in data) return data.revertUrl;
  if ('pageUrl' in data) return data.pageUrl;
  if ('role' in data) return `${publicUrl}/account`;
  if ('refusedPrice' in data) return `${publicUrl}/tutors/pricing`;
  if ('payoutId' in data) return `${publicUrl}/payouts/${'waitsFor' in data ? 'account' : data.payoutId}`;
  if ('disputeId' in data) return `${publicUrl}/disputes/${data.disputeId}`;
  if ('hoursBefore' in data && emailVerified && data.meetingUrl !== null) return data.meetingUrl;
  const page =
    'paymentId' in data && data.bookingId === null ? `payments/${data.paymentId}` : `bookings/${data.bookingId}`;
  return `${publicUrl}/${page}${template === 'booking_completed_student' ? '/review' : ''}`;
}

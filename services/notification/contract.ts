import { z } from 'zod';
import { PARTIES } from '../../kernel/session';
import { FAILURE_REASONS } from '../../kernel/statuses';
import { Email } from '../../platform/email';
import { endpoint } from '../../platform/endpoint';
import {
  HttpsUrl,
  IdParams,
  Instant,
  InstantOut,
  KnownTimeZone,
  Locale,
  Money,
  PageQuery,
  pageOf,
  SessionMinutes,
  Uuid,
} from '../../platform/schemas';
import { addressChangeOperations } from './address-changes/contract';

// What the notification service promises: one mail per business key, a list of what a user was told, and preferences.

/**
 * A name or a topic somebody typed. Deliberately wide: a notice must not be lost over a line break in a name, so the
 * templates flatten it instead of this schema refusing it.
 */
const Phrase = z.string().min(1).max(300);
/** A page of the platform itself, which on one machine is not https. */
const PlatformUrl = z.url({ protocol: /^https?$/ }).max(2_048);

const bookingFields = {
  bookingId: Uuid,
  /** What is taught, such as `Mathematics`. */
  subject: Phrase,
  startsAt: Instant,
  durationMinutes: SessionMinutes,
  /** The other party: the tutor's name to a student, the student's to a tutor. */
  otherName: Phrase,
  price: Money,
  /** One that was stored before all had to be complete is left out, because the mail has to go. */
  meetingUrl: z.union([HttpsUrl, z.null()]).catch(null),
};
const BookingData = z.strictObject(bookingFields);
const CancelledBy = z.enum(PARTIES);
/** What a cancel gives back: a share of what is left, and how much came back before. A caller of before names the amount, `refund`. */
const CancellationTerms = z.strictObject({
  percent: z.int().min(0).max(100),
  before: z.enum(['nothing', 'some', 'everything']),
});
export type CancellationTerms = z.output<typeof CancellationTerms>;
const FailedData = z.strictObject({ ...bookingFields, because: z.enum(FAILURE_REASONS) });
const respondBy = Instant;
const previousStart = Instant;
const hoursBefore = z.int().min(1).max(168);

const paymentFields = {
  paymentId: Uuid,
  /** Null for a direct payment. */
  bookingId: z.union([Uuid, z.null()]),
  amount: Money,
  /** What it is for: a booking's subject or a direct payment's description. */
  description: z.union([z.string().min(1).max(500), z.null()]),
};
const otherName = Phrase;
const PaymentData = z.strictObject({ ...paymentFields, otherName });

/** A payout's share of a payment. Of a direct payment nothing more is known. */
const PayoutLine = z.strictObject({
  subject: z.union([Phrase, z.null()]),
  startsAt: z.union([Instant, z.null()]),
  /** Minor units; below zero: given back after it had become payable. */
  amount: z.int(),
});
const payoutFields = { payoutId: Uuid, amount: Money };
const PayoutCompleted = z.strictObject({
  ...payoutFields,
  lines: z.array(PayoutLine).max(50),
  /** What no line stands for, in minor units. */
  others: z.int(),
});
/** `why`: a sentence of the platform's own. */
const PayoutFailed = z.strictObject({ ...payoutFields, why: z.string().min(1).max(500) });
const PayoutWaits = z.strictObject({
  ...payoutFields,
  waitsFor: z.enum(['awaiting_onboarding', 'awaiting_bank_account']),
});

const disputeFields = {
  disputeId: Uuid,
  paymentId: Uuid,
  /** Null for a direct payment. */
  bookingId: z.union([Uuid, z.null()]),
  /** What the card's holder claims. */
  amount: Money,
  /** What was paid for; null for a direct payment. */
  session: z.union([z.strictObject({ subject: Phrase, startsAt: Instant }), z.null()]),
};
/** `inquiry`: its bank only asks, and has taken nothing. `sayBy`: until when the payee can say something. */
const DisputeOpened = z.strictObject({ ...disputeFields, inquiry: z.boolean(), sayBy: z.union([Instant, z.null()]) });
const DisputeReminder = z.strictObject({ ...disputeFields, inquiry: z.boolean(), sayBy: Instant });
const DisputeDecided = z.strictObject({ ...disputeFields, outcome: z.enum(['won', 'lost', 'closed']) });

/** `provider`: what its people call it. */
const SignInMethod = z.strictObject({ provider: Phrase, forgotUrl: PlatformUrl });

/** A price at which nobody can be charged any more: of a currency that the platform does not take, or as an amount. */
const PricesRefused = z.strictObject({ refusedPrice: Money, because: z.enum(['currency', 'amount']) });

/** How somebody reads times and money. A zone that is unknown here is shown as UTC, such a locale as English: the mail has to go. */
const reading = { locale: Locale.catch('en-GB'), timeZone: KnownTimeZone.catch('UTC') };

/** Where a person is reached, as identity had it at an instant. */
export const Contact = z
  .strictObject({
    userId: Uuid,
    /** As identity took it: a rule of today's refuses no address of before, or nobody behind it would be filled in. */
    email: z.string().min(1).max(320),
    /**
     * Whether the address is known to be theirs. To any other nothing is quoted that a person typed, or the platform could be made to send it
     * to anybody.
     */
    emailVerified: z.boolean(),
    name: Phrase,
    ...reading,
    /** When identity changed the account last: what is older takes no newer one's place. */
    asOf: Instant,
  })
  .meta({ id: 'Contact' });
export type Contact = z.output<typeof Contact>;

/** Whom a mail goes to, and how they read it. */
export type Recipient = Omit<Contact, 'userId' | 'asOf'>;

/** Who is told. The rest a caller of before says: it is of use only until the person's contact is known here. */
const recipient = {
  recipientId: Uuid,
  email: Email.optional().catch(undefined),
  emailVerified: z.boolean().optional().catch(undefined),
  recipientName: Phrase.optional().catch(undefined),
  locale: reading.locale.optional(),
  timeZone: reading.timeZone.optional(),
};

/**
 * After it nobody needs the mail, such as a reminder of a session that has begun: it is not sent then. Null, and where the caller
 * says nothing: for as long as sending is tried.
 */
const usefulUntil = z.union([Instant, z.null()]).default(null);

function message<Template extends string, Data extends z.ZodType>(template: Template, data: Data) {
  return z.strictObject({ template: z.literal(template), ...recipient, usefulUntil, data });
}

/** Every message there is, with exactly the facts its template shows. Where its recipient is reached it does not say. */
export const RecordNotification = z.discriminatedUnion('template', [
  message('welcome_verify_email', z.strictObject({ verifyUrl: PlatformUrl })),
  message('verify_email', z.strictObject({ verifyUrl: PlatformUrl })),
  message('welcome', z.strictObject({ homeUrl: PlatformUrl })),
  message('password_reset', z.strictObject({ resetUrl: PlatformUrl, providers: z.array(Phrase).default([]) })),
  message('password_changed', z.strictObject({ forgotUrl: PlatformUrl })),
  message('sign_in_linked', SignInMethod),
  message('sign_in_unlinked', SignInMethod),
  message('second_factor_added', z.strictObject({ forgotUrl: PlatformUrl })),
  message('second_factor_removed', z.strictObject({ forgotUrl: PlatformUrl })),
  message('passkey_added', z.strictObject({ forgotUrl: PlatformUrl })),
  message('passkey_removed', z.strictObject({ forgotUrl: PlatformUrl })),
  message('email_change_confirm', z.strictObject({ changeId: Uuid, confirmUrl: PlatformUrl })),
  message('email_change_asked', z.strictObject({ changeId: Uuid, forgotUrl: PlatformUrl })),
  message('email_change_taken', z.strictObject({ pageUrl: PlatformUrl })),
  message('email_changed', z.strictObject({ changeId: Uuid, pageUrl: PlatformUrl })),
  message('email_changed_revert', z.strictObject({ changeId: Uuid, revertUrl: PlatformUrl })),
  message('role_changed', z.strictObject({ role: z.enum(['student', 'tutor', 'admin']) })),
  message('booking_requested_student', z.strictObject({ ...bookingFields, respondBy })),
  message('booking_requested_tutor', z.strictObject({ ...bookingFields, respondBy })),
  message('booking_confirmed_student', BookingData),
  message('booking_confirmed_tutor', BookingData),
  message('booking_declined_student', BookingData),
  message('booking_expired_student', BookingData),
  message(
    'booking_cancelled_student',
    z.strictObject({
      ...bookingFields,
      refund: z.union([Money, z.null()]),
      terms: CancellationTerms.optional(),
      cancelledBy: CancelledBy,
    }),
  ),
  message('booking_cancelled_tutor', z.strictObject({ ...bookingFields, cancelledBy: CancelledBy })),
  // Nobody cancelled these. A caller of before says `booking_cancelled` or `booking_expired` of them.
  message('booking_failed_student', FailedData),
  message('booking_failed_tutor', FailedData),
  message('booking_rescheduled_student', z.strictObject({ ...bookingFields, previousStart })),
  message('booking_rescheduled_tutor', z.strictObject({ ...bookingFields, previousStart })),
  message('booking_reminder_student', z.strictObject({ ...bookingFields, hoursBefore })),
  message('booking_reminder_tutor', z.strictObject({ ...bookingFields, hoursBefore })),
  message('booking_completed_student', BookingData),
  message('payment_action_required', z.strictObject({ ...paymentFields, otherName, payBy: Instant })),
  message('payment_receipt', PaymentData),
  message('payment_received', PaymentData),
  message('payment_declined_student', PaymentData),
  message('refund_succeeded', z.strictObject(paymentFields)),
  message('refund_returned', z.strictObject(paymentFields)),
  message('refund_waits', z.strictObject(paymentFields)),
  message('payout_completed', PayoutCompleted),
  message('payout_failed', PayoutFailed),
  message('payout_waits', PayoutWaits),
  message('prices_refused_tutor', PricesRefused),
  message('dispute_opened', DisputeOpened),
  message('dispute_reminder', DisputeReminder),
  message('dispute_decided', DisputeDecided),
]);
export type RecordNotification = z.output<typeof RecordNotification>;

/** Where its caller, one of before, says that the recipient is reached; undefined where it says nothing. */
export function recipientSaid(message: RecordNotification): Recipient | undefined {
  const { email, emailVerified = true, recipientName: name = '', locale = 'en-GB', timeZone = 'UTC' } = message;
  return email === undefined ? undefined : { email, emailVerified, name, locale, timeZone };
}

/** The message without what a caller of before says of its recipient. */
export function withoutSaid(message: RecordNotification): RecordNotification {
  const { email: _, emailVerified: __, recipientName: ___, locale: ____, timeZone: _____, ...told } = message;
  return told;
}

export type TemplateName = RecordNotification['template'];

export const DELIVERY_STATUSES = ['pending', 'sent', 'suppressed', 'failed', 'replaced', 'expired'] as const;
/**
 * `pending`: its mail waits to be sent. `sent`: the mail server took it over. `suppressed`: the recipient does not want such mails.
 * `failed`: the server refused this address or message for good, or could not be brought to take it for a day. `replaced`: a newer
 * notice took its place. `expired`: its use was over before it could be sent. All but pending are final.
 */
export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number];

export const RecordedNotification = z.strictObject({ id: Uuid, status: z.enum(DELIVERY_STATUSES) });
export type RecordedNotification = z.output<typeof RecordedNotification>;

/** What somebody was told of a booking: nothing of what it said, and no address. */
export const Notice = z.object({
  template: z.string(),
  recipientId: Uuid,
  status: z.enum(DELIVERY_STATUSES),
  recordedAt: InstantOut,
  /** When the mail server took the mail over. */
  sentAt: InstantOut.nullable(),
});
export type Notice = z.output<typeof Notice>;

export const Notification = z
  .strictObject({
    id: Uuid,
    type: z.string().meta({ description: 'The template, such as `booking_confirmed_student`; new ones may be added' }),
    title: z.string(),
    message: z.string(),
    bookingId: z.union([Uuid, z.null()]),
    paymentId: z.union([Uuid, z.null()]),
    status: z.enum(DELIVERY_STATUSES).meta({ description: 'What became of the e-mail' }),
    sentAt: z.union([InstantOut, z.null()]),
    readAt: z.union([InstantOut, z.null()]),
    createdAt: InstantOut,
  })
  .meta({ id: 'Notification' });
export type Notification = z.output<typeof Notification>;

const Channels = z
  .strictObject({ email: z.boolean(), inApp: z.boolean() })
  .meta({ id: 'NotificationChannels', description: 'Where messages of one kind are shown' });

/** The kinds a person may switch off. Everything else concerns an account, a booking or money and is always sent. */
export const NotificationPreferences = z
  .strictObject({ reminders: Channels, reviewRequests: Channels })
  .meta({ id: 'NotificationPreferences', description: 'The optional kinds of messages; all others are always sent' });
export type NotificationPreferences = z.output<typeof NotificationPreferences>;

const UserParams = z.strictObject({ userId: Uuid });

/** So many are brought in one request at most: whatever their names, they fit into a body. */
export const CONTACTS_AT_ONCE = 50;

/** A worker of before says nothing. */
const NewPerson = z.strictObject({ contact: Contact }).optional();

export const notificationContract = {
  listNotifications: endpoint({
    method: 'get',
    path: '/api/notifications',
    operationId: 'listNotifications',
    summary: 'My notifications, newest first',
    access: 'user',
    query: PageQuery.extend({ unread: z.enum(['true', 'false']).optional() }),
    replies: { 200: pageOf(Notification).extend({ unreadCount: z.int().min(0) }) },
  }),
  markAllNotificationsRead: endpoint({
    method: 'patch',
    path: '/api/notifications/mark-all-read',
    operationId: 'markAllNotificationsRead',
    summary: 'Mark all my notifications as read',
    access: 'user',
    replies: { 200: z.strictObject({ marked: z.int().min(0) }) },
  }),
  markNotificationRead: endpoint({
    method: 'patch',
    path: '/api/notifications/{id}/read',
    operationId: 'markNotificationRead',
    summary: 'Mark one of my notifications as read',
    access: 'user',
    params: IdParams,
    replies: { 200: Notification },
  }),
  getNotificationPreferences: endpoint({
    method: 'get',
    path: '/api/notifications/preferences',
    operationId: 'getNotificationPreferences',
    summary: 'Which optional messages I want',
    access: 'user',
    replies: { 200: NotificationPreferences },
  }),
  putNotificationPreferences: endpoint({
    method: 'put',
    path: '/api/notifications/preferences',
    operationId: 'putNotificationPreferences',
    summary: 'Choose which optional messages I want',
    access: 'user',
    body: NotificationPreferences,
    replies: { 200: NotificationPreferences },
  }),

  /**
   * The key is the business key, such as `booking:<id>/confirmed/student`: one mail for it, for ever. It is recorded here and
   * delivered by the service itself, so no mail server is waited for. A repetition changes nothing and gets the status of today,
   * even if names or links in it differ; another template or recipient under the key is refused. So is, for now, a recipient whose contact is
   * not known: `bringContacts` makes it known.
   */
  recordNotification: endpoint({
    method: 'post',
    path: '/internal/notifications',
    operationId: 'recordNotification',
    summary: 'Have one person told one thing, once',
    access: 'service',
    idempotency: 'required',
    body: RecordNotification,
    replies: { 200: RecordedNotification },
    errors: ['contact_unknown'],
  }),
  bringContacts: endpoint({
    method: 'post',
    path: '/internal/contacts',
    operationId: 'bringContacts',
    summary: 'Where people are reached, as identity has it; what is known already as of then or later stays',
    access: 'service',
    body: z.strictObject({ items: z.array(Contact).max(CONTACTS_AT_ONCE) }),
    replies: { 200: z.object({ changed: z.int().min(0) }) },
  }),
  noticesOfBooking: endpoint({
    method: 'get',
    path: '/internal/bookings/{bookingId}/notices',
    operationId: 'noticesOfBooking',
    summary: 'What was told of a booking to whom, and what became of its mails, oldest first',
    access: 'service',
    params: z.strictObject({ bookingId: Uuid }),
    replies: { 200: z.object({ items: z.array(Notice) }) },
  }),
  createPreferences: endpoint({
    method: 'post',
    path: '/internal/preferences/{userId}',
    operationId: 'createPreferences',
    summary: 'Default preferences of a new user, and where they are reached',
    access: 'service',
    idempotency: 'required',
    params: UserParams,
    // Name and language were gathered for the person, and may be others when the step is repeated.
    fingerprint: [],
    body: NewPerson,
    replies: { 201: NotificationPreferences },
    errors: ['undone'],
  }),
  removePreferences: endpoint({
    method: 'post',
    path: '/internal/preferences/{userId}/remove',
    operationId: 'removePreferences',
    summary: 'Undo of createPreferences',
    access: 'service',
    idempotency: 'undo',
    params: UserParams,
    replies: { 204: null },
  }),
  ...addressChangeOperations,
};

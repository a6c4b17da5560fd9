import type { NotificationPreferences, TemplateName } from './contract';

/** What a message is about. Only reminders and review requests may be switched off: the rest concerns an account, a booking or money. */
export type Kind = 'account' | 'booking' | 'payment' | 'reminder' | 'review_request';

export const KIND_OF: Readonly<Record<TemplateName, Kind>> = {
  welcome_verify_email: 'account',
  verify_email: 'account',
  welcome: 'account',
  password_reset: 'account',
  password_changed: 'account',
  sign_in_linked: 'account',
  sign_in_unlinked: 'account',
  second_factor_added: 'account',
  second_factor_removed: 'account',
  passkey_added: 'account',
  passkey_removed: 'account',
  email_change_confirm: 'account',
  email_change_asked: 'account',
  email_change_taken: 'account',
  email_changed: 'account',
  email_changed_revert: 'account',
  role_changed: 'account',
  booking_requested_student: 'booking',
  booking_requested_tutor: 'booking',
  booking_confirmed_student: 'booking',
  booking_confirmed_tutor: 'booking',
  booking_declined_student: 'booking',
  booking_expired_student: 'booking',
  booking_cancelled_student: 'booking',
  booking_cancelled_tutor: 'booking',
  booking_failed_student: 'booking',
  booking_failed_tutor: 'booking',
  booking_rescheduled_student: 'booking',
  booking_rescheduled_tutor: 'booking',
  booking_reminder_student: 'reminder',
  booking_reminder_tutor: 'reminder',
  booking_completed_student: 'review_request',
  payment_action_required: 'payment',
  payment_receipt: 'payment',
  payment_received: 'payment',
  payment_declined_student: 'payment',
  refund_succeeded: 'payment',
  refund_returned: 'payment',
  refund_waits: 'payment',
  payout_completed: 'payment',
  payout_failed: 'payment',
  payout_waits: 'payment',
  prices_refused_tutor: 'account',
  dispute_opened: 'payment',
  dispute_reminder: 'payment',
  dispute_decided: 'payment',
};

/** Messages about a change of address that go to one of its two addresses, and not to where their recipient is reached. */
export const ADDRESSED_BY_CHANGE: Partial<Record<TemplateName, 'before' | 'proposed'>> = {
  email_change_confirm: 'proposed',
  email_change_asked: 'before',
  email_changed: 'proposed',
  email_changed_revert: 'before',
};

/**
 * Which unsent notices a new one takes the place of: those of these kinds about the same booking to the same person. "New" is what was
 * recorded later.
 */
const REPLACES: Readonly<Record<Kind, readonly Kind[]>> = {
  // How a booking stands now makes older news of it wrong, and a reminder that was not sent yet may name a time that is no longer.
  booking: ['booking', 'reminder'],
  // Of two reminders the older one says a wrong number of hours.
  reminder: ['reminder'],
  // Each tells of money of its own: a receipt or a refund is told each time.
  payment: [],
  // Each holds a link that the person asked for; none is about a booking.
  account: [],
  // It asks for something and makes no other notice wrong.
  review_request: [],
};

/** After one of these nothing more is to be told of how the booking stands. */
const ENDS_BOOKING: readonly TemplateName[] = [
  'booking_declined_student',
  'booking_expired_student',
  'booking_cancelled_student',
  'booking_cancelled_tutor',
  'booking_failed_student',
  'booking_failed_tutor',
];

/** The templates whose unsent notices a new one of `template` replaces. */
export function replacedBy(template: TemplateName): string[] {
  return REPLACES[KIND_OF[template]].flatMap(templatesOf);
}

/**
 * The templates after which `template` comes too late: a step that is retried can record that a booking is confirmed when it has
 * been told already that it is cancelled.
 */
export function overtakenBy(template: TemplateName): readonly TemplateName[] {
  const saysHowItStands = REPLACES[KIND_OF[template]].length > 0;
  return saysHowItStands && !ENDS_BOOKING.includes(template) ? ENDS_BOOKING : [];
}

/** How long sending is tried: a mail server may be away for a day. A mail is tried once, however late that is. */
export const TRIED_FOR_HOURS = 24;

/** No longer, so that mails are out soon after a mail server is back. */
const LONGEST_PAUSE_SECONDS = 600;

/** Seconds until the next attempt, after `attempts` of them. */
export function pauseAfter(attempts: number): number {
  return Math.min(2 ** (attempts - 1), LONGEST_PAUSE_SECONDS);
}

/** What a new user starts with: everything on. */
export const DEFAULT_PREFERENCES: NotificationPreferences = {
  reminders: { email: true, inApp: true },
  reviewRequests: { email: true, inApp: true },
};

/** Whether its recipient may switch such a message off. */
export function isOptional(template: TemplateName): boolean {
  const kind = KIND_OF[template];
  return kind === 'reminder' || kind === 'review_request';
}

/** The templates of a kind. */
export function templatesOf(wanted: Kind): string[] {
  return Object.entries(KIND_OF).flatMap(([template, kind]) => (kind === wanted ? [template] : []));
}

/** Where a message is shown, given what its recipient chose. */
export function channelsFor(template: TemplateName, preferences: NotificationPreferences) {
  const kind = KIND_OF[template];
  if (kind === 'reminder') return preferences.reminders;
  if (kind === 'review_request') return preferences.reviewRequests;
  return { email: true, inApp: true };
}

/**
 * What became of one attempt. `refused`: the server does not want this message at this address, now or later.
 * `unavailable`: nobody knows, or not now; the attempt may be made again.
 */
export type SendOutcome =
  | { kind: 'sent'; smtpCode: number | null }
  | { kind: 'refused' | 'unavailable'; smtpCode: number | null; errorCode: string | null };

/** A failed SMTP conversation: the server's reply code, the command it answered, and the client's own error code. */
export interface SmtpFailure {
  responseCode?: number;
  command?: string;
  code?: string;
}

/** Replies of class 5 that speak of the session or our credentials and not of the message (RFC 5321 §4.2.3, RFC 4954 §6). */
const SESSION_TROUBLE = new Set([503, 530, 534, 535, 538]);

/**
 * Whether a failure is final. Only a 5yz reply (RFC 5321 §4.2.1) to the recipient or to the message itself is: the same
 * reply to our login or our sender address is a wrong setting, and mails must survive until it is put right. An address
 * that the client cannot even put into a command (`API`) is final too.
 */
export function outcomeOf(failure: SmtpFailure): SendOutcome {
  const { responseCode, command } = failure;
  const permanent = responseCode !== undefined && responseCode >= 500 && !SESSION_TROUBLE.has(responseCode);
  const aboutMessage = command === 'RCPT TO' || command === 'DATA';
  const unusable = command === 'API' && failure.code === 'EENVELOPE';
  return {
    kind: (permanent && aboutMessage) || unusable ? 'refused' : 'unavailable',
    smtpCode: responseCode ?? null,
    errorCode: failure.code ?? null,
  };
}

import type { NotificationPreferences, TemplateName } from './contract';

/** What a message is about. Only reminders and review requests may be switched off: the rest concerns an account, a booking or money. */
export type Kind = 'account' | 'booking' | 'payment' | 'reminder' | 'review_request';

export const KIND_OF: Readonly<Record<TemplateName, Kind>> = {
  welcome_verify_email: 'account',
  password_reset: 'account',
  booking_requested_student: 'booking',
  booking_requested_tutor: 'booking',
  booking_confirmed_student: 'booking',
  booking_confirmed_tutor: 'booking',
  booking_declined_student: 'booking',
  booking_expired_student: 'booking',
  booking_cancelled_student: 'booking',
  booking_cancelled_tutor: 'booking',
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
};

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

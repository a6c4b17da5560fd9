import type { FailureReason } from '../../../kernel/statuses';
import type { CancellationTerms, TemplateName } from '../contract';
import { ACCOUNT_MESSAGES } from './account-messages';
import type { Words } from './words';

const CARD_RETURN = 'Depending on your bank it can take 5 to 10 days until you see it on your account.';
const REFUND =
  '{{#if terms}}{{terms}}{{else}}{{#if refund}}{{refund}} goes back to the card you paid with. ' +
  `${CARD_RETURN}{{else}}{{#if refundIsZero}}Under the cancellation terms no refund is due.{{else}}There is nothing to refund.{{/if}}{{/if}}{{/if}}`;

/** What a cancel gives back, in words. The amount is known only when the refund is made, and stands in its own message. */
export function refundInWords({ percent, before }: CancellationTerms): string {
  if (before === 'everything') return 'Everything you paid was given back to you before.';
  const paid = before === 'some' ? 'what was not given back to you before' : 'what you paid';
  if (percent === 0) return `Under the cancellation terms nothing of ${paid} is given back.`;
  const share = percent === 100 ? `All of ${paid}` : `Under the cancellation terms ${percent} % of ${paid}`;
  return `${share} goes back to the card you paid with. Another message tells you the amount when it is on its way.`;
}

/** What somebody is, in a sentence. */
export const ROLES = { student: 'a student', tutor: 'a tutor', admin: 'an administrator' } as const;

/** Why a booking failed, as the end of a sentence, and what its student can do. */
export const FAILURES: Readonly<Record<FailureReason, { because: string; advice: string }>> = {
  platform_unavailable: {
    because: 'because of a technical problem on our side',
    advice: 'We are sorry. You can book it again.',
  },
  payment_declined: {
    because: 'because the bank did not accept the payment',
    advice: 'You can book it again with another card.',
  },
  payment_expired: {
    because: 'because the payment was not confirmed with the bank in time',
    advice: 'You can book it again.',
  },
  slot_unavailable: {
    because: 'because its time is no longer free',
    advice: 'You can book another time.',
  },
};

export const MESSAGES: Readonly<Record<TemplateName, Words>> = {
  ...ACCOUNT_MESSAGES,
  booking_requested_student: {
    subject: 'Request sent: {{topic}} with {{other}}',
    heading: 'Your request was sent',
    lead: '{{other}} can accept your {{topic}} session on {{when}} until {{respondBy}}.',
    more: ['{{price}} is reserved on your card. It is charged only if {{other}} accepts.'],
    action: 'View booking',
  },
  booking_requested_tutor: {
    subject: 'New request: {{topic}} with {{other}}',
    heading: 'You have a new request',
    lead: '{{other}} would like a {{topic}} session with you on {{when}}.',
    more: ['Please accept or decline by {{respondBy}}. After that the request expires and the slot is free again.'],
    action: 'Answer the request',
  },
  booking_confirmed_student: {
    subject: 'Confirmed: {{topic}} with {{other}} on {{day}}',
    heading: 'Your session is confirmed',
    lead: 'Your {{topic}} session with {{other}} takes place on {{when}}.',
    more: [],
    action: 'View booking',
  },
  booking_confirmed_tutor: {
    subject: 'Confirmed: {{topic}} with {{other}} on {{day}}',
    heading: 'A session is confirmed',
    lead: 'Your {{topic}} session with {{other}} takes place on {{when}}.',
    more: ['{{#if linkMissing}}Please add the meeting link to the booking before it starts.{{/if}}'],
    action: 'View booking',
  },
  booking_declined_student: {
    subject: 'Declined: {{topic}} with {{other}}',
    heading: 'Your request was declined',
    lead: '{{other}} cannot take your {{topic}} session on {{when}}.',
    more: ['You were not charged, and the amount reserved on your card is released.'],
    action: 'View booking',
  },
  booking_expired_student: {
    subject: 'Expired: {{topic}} with {{other}}',
    heading: 'Your request has expired',
    lead: '{{other}} did not answer your request for a {{topic}} session on {{when}} in time.',
    more: ['You were not charged, and the amount reserved on your card is released.'],
    action: 'View booking',
  },
  booking_cancelled_student: {
    subject: 'Cancelled: {{topic}} with {{other}} on {{day}}',
    heading: 'Your session was cancelled',
    lead: '{{#if byStudent}}You{{else}}{{#if byTutor}}{{other}}{{else}}Our team{{/if}}{{/if}} cancelled your {{topic}} session with {{#if byTutor}}you{{else}}{{other}}{{/if}} on {{when}}.',
    more: [REFUND],
    action: 'View booking',
  },
  booking_cancelled_tutor: {
    subject: 'Cancelled: {{topic}} with {{other}} on {{day}}',
    heading: 'A session was cancelled',
    lead: '{{#if byTutor}}You{{else}}{{#if byStudent}}{{other}}{{else}}Our team{{/if}}{{/if}} cancelled the {{topic}} session {{#unless byStudent}}with {{other}} {{/unless}}on {{when}}.',
    more: ['The slot is free for other students again.'],
    action: 'View booking',
  },
  booking_failed_student: {
    subject: 'Not booked: {{topic}} with {{other}} on {{day}}',
    heading: 'Your session could not be booked',
    lead: 'Your {{topic}} session with {{other}} on {{when}} could not be booked {{because}}.',
    more: [
      'You are not charged: any amount reserved on your card is released, and any amount taken is given back. {{advice}}',
    ],
    action: 'View booking',
  },
  booking_failed_tutor: {
    subject: 'Not booked: {{topic}} with {{other}} on {{day}}',
    heading: 'A session could not be booked',
    lead: 'The {{topic}} session with {{other}} on {{when}} could not be booked {{because}}.',
    more: ['There is nothing for you to do.'],
    action: 'View booking',
  },
  booking_rescheduled_student: {
    subject: 'New time: {{topic}} with {{other}} on {{day}}',
    heading: 'Your session has a new time',
    lead: 'Your {{topic}} session with {{other}} was moved to {{when}}.',
    more: ['It was planned for {{previousWhen}}. Price and duration stay the same.'],
    action: 'View booking',
  },
  booking_rescheduled_tutor: {
    subject: 'New time: {{topic}} with {{other}} on {{day}}',
    heading: 'A session has a new time',
    lead: 'Your {{topic}} session with {{other}} was moved to {{when}}.',
    more: ['It was planned for {{previousWhen}}. Price and duration stay the same.'],
    action: 'View booking',
  },
  booking_reminder_student: {
    subject: 'In {{hours}}: {{topic}} with {{other}}',
    heading: 'Your session starts in {{hours}}',
    lead: 'Your {{topic}} session with {{other}} takes place on {{when}}.',
    more: [],
    action: '{{#if meetingUrl}}Join the session{{else}}View booking{{/if}}',
  },
  booking_reminder_tutor: {
    subject: 'In {{hours}}: {{topic}} with {{other}}',
    heading: 'Your session starts in {{hours}}',
    lead: 'Your {{topic}} session with {{other}} takes place on {{when}}.',
    more: ['{{#if linkMissing}}The booking has no meeting link yet. Please add one before it starts.{{/if}}'],
    action: '{{#if meetingUrl}}Join the session{{else}}View booking{{/if}}',
  },
  booking_completed_student: {
    subject: 'How was your {{topic}} session with {{other}}?',
    heading: 'How was your session?',
    lead: 'Your {{topic}} session with {{other}} is complete. A short review helps other students to choose.',
    more: [],
    action: 'Leave a review',
  },
  payment_action_required: {
    subject: 'Please confirm your payment of {{amount}}',
    heading: 'Your bank asks for a confirmation',
    lead: 'Your payment of {{amount}} to {{other}} is waiting for you to confirm it with your bank.',
    more: ['Please do so by {{payBy}}. Otherwise the payment is cancelled and you are not charged.'],
    action: 'Confirm payment',
  },
  payment_receipt: {
    subject: 'Receipt: {{amount}} to {{other}}',
    heading: 'Thank you for your payment',
    lead: 'You paid {{amount}} to {{other}}.',
    more: [],
    action: 'View payment',
  },
  payment_received: {
    subject: 'You received {{amount}} from {{other}}',
    heading: 'You received a payment',
    lead: '{{other}} paid {{amount}}.',
    more: ["The platform's fee is deducted when it is added to your wallet."],
    action: 'View payment',
  },
  payment_declined_student: {
    subject: 'Your payment of {{amount}} was declined',
    heading: 'Your payment was declined',
    lead: 'Your bank did not accept the payment of {{amount}} to {{other}}.',
    more: ['You were not charged. You can try again with another card.'],
    action: 'View details',
  },
  refund_succeeded: {
    subject: 'Your refund of {{amount}}',
    heading: 'Your refund is on its way',
    lead: '{{amount}} goes back to the card you paid with.',
    more: [CARD_RETURN],
    action: 'View payment',
  },
  refund_returned: {
    subject: 'Your refund of {{amount}} came back to us',
    heading: 'Your bank returned your refund',
    lead: 'Your refund of {{amount}} came back from your bank.',
    more: ['We look into it, and nothing is lost: the money is kept for you. You need not do anything.'],
    action: 'View payment',
  },
  refund_waits: {
    subject: 'A refund of {{amount}} waits for a bank',
    heading: 'A refund waits for a bank',
    lead: 'A refund of {{amount}} waits for the bank of the card that was paid with: it has the money and decides a dispute of the payment first.',
    more: [
      'The refund is promised, and nobody need do anything: it is made when the bank has decided, unless the bank has given the money back by then.',
    ],
    action: 'View payment',
  },
  payout_completed: {
    subject: '{{amount}} is at your bank',
    heading: 'You have been paid',
    lead: '{{amount}} of what you earned is at your bank.',
    more: ['Some banks take a day more to show it. The list below says what it is made of.'],
    action: 'View payout',
  },
  payout_failed: {
    subject: 'Your payout of {{amount}} did not arrive',
    heading: 'Your payout did not arrive',
    lead: '{{why}}',
    more: ['The money is not lost: it is payable again as soon as it has come back to us.'],
    action: 'View payout',
  },
  payout_waits: {
    subject: 'Your payout of {{amount}} waits for you',
    heading: 'Your payout waits for you',
    lead: '{{#if forBank}}{{amount}} will be sent as soon as you have given Stripe a bank account for its currency.{{else}}{{amount}} will be sent as soon as you have told Stripe what it asks of you.{{/if}}',
    more: ['After 30 days it is called off, and the money is payable again.'],
    action: 'Go to your account',
  },
  prices_refused_tutor: {
    subject: 'Please change your prices: students cannot find you',
    heading: 'Your prices need a change',
    lead: '{{#if ofCurrency}}We do not take payments in {{currency}}{{else}}Students cannot be charged for a session at your price of {{refusedPrice}}{{/if}}, so you are not listed at present.',
    more: [
      'Set new prices, {{#if ofCurrency}}in a currency that we take{{else}}at which the shortest session can be charged{{/if}}, and you are listed again at once.',
      'Sessions that are booked already take place as agreed.',
    ],
    action: 'Change your prices',
  },
  dispute_opened: {
    subject:
      '{{#if inquiry}}A bank asks about a payment of {{amount}} to you{{else}}A payment of {{amount}} to you is disputed{{/if}}',
    heading: '{{#if inquiry}}A bank asks about a payment to you{{else}}A payment to you is disputed{{/if}}',
    lead: '{{#if inquiry}}The bank of somebody who paid you asks about {{amount}}. No money has moved, but what you earned by it is not paid out before the bank stops asking.{{else}}The bank of somebody who paid you has taken {{amount}} back and decides who keeps it. Your share of it is frozen until then.{{/if}}',
    more: [
      '{{#if sayBy}}Say until {{sayBy}} what speaks against it. What you have said by then is sent to the bank, once, with what we know of the session. If nobody says anything, the bank may decide against you.{{else}}Nothing can be sent to the bank any more.{{/if}}',
      '{{#if inquiry}}The bank may still take the money back; you are told then.{{else}}We tell you what the bank decides, which can take three months.{{/if}}',
    ],
    action: 'View dispute',
  },
  dispute_reminder: {
    subject: 'Until {{sayBy}}: what speaks against the dispute of {{amount}}?',
    heading: 'You have said nothing yet',
    lead: '{{#if inquiry}}A bank asks about {{amount}} that somebody paid you{{else}}A payment of {{amount}} to you is disputed{{/if}}, and you can say something until {{sayBy}}.',
    more: ['What there is then is sent to the bank, once. Nothing can be added after that.'],
    action: 'Say something',
  },
  dispute_decided: {
    subject: '{{#if won}}Won{{else}}{{#if lost}}Lost{{else}}Closed{{/if}}{{/if}}: the dispute of {{amount}}',
    heading: 'The bank has decided',
    lead: '{{#if won}}The bank has decided the dispute of {{amount}} for you.{{else}}{{#if lost}}The bank has decided the dispute of {{amount}} for the card’s holder.{{else}}The bank no longer asks about {{amount}}.{{/if}}{{/if}}',
    more: [
      '{{#if won}}What it had taken came back, and your share is no longer frozen.{{else}}{{#if lost}}They keep what the bank had taken. Your share of it, which was frozen, is gone.{{else}}Nothing was taken from you.{{/if}}{{/if}}',
    ],
    action: 'View dispute',
  },
};

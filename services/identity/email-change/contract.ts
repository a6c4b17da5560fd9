import { z } from 'zod';
import { Email } from '../../../platform/email';
import { endpoint } from '../../../platform/endpoint';
import { IdParams, InstantOut, Swept, Uuid } from '../../../platform/schemas';

// What a change of an account's address adds to what identity promises.

export const ChangeEmailRequest = z
  .strictObject({ email: Email, password: z.string().min(1).max(1_024) })
  .meta({ id: 'ChangeEmailRequest' });

export const RequestedEmailChange = z.object({ requestId: Uuid }).meta({ id: 'RequestedEmailChange' });

/** What the link of a mail holds. */
export const EmailChangeToken = z.strictObject({ token: z.string().min(1).max(512) }).meta({ id: 'EmailChangeToken' });

/** As `email_changes.status`: see `db/schema/identity.ts`. */
export const EmailChangeStatus = z.enum([
  ...['asked', 'confirmed', 'changed', 'reverting'],
  ...['kept', 'reverted', 'taken', 'replaced', 'expired', 'withdrawn', 'void'],
] as const);
export type EmailChangeStatus = z.output<typeof EmailChangeStatus>;

/** How a change stands, and until when it stays so by itself; null where it stays so for good, or until something is done. */
export const EmailChange = z
  .object({ status: EmailChangeStatus, until: InstantOut.nullable() })
  .meta({ id: 'EmailChange' });
export type EmailChange = z.output<typeof EmailChange>;

const Standing = EmailChange.pick({ status: true });

export const EmailChangeAddresses = z
  .object({ userId: Uuid, from: z.string(), to: z.string() })
  .meta({ id: 'EmailChangeAddresses' });
export type EmailChangeAddresses = z.output<typeof EmailChangeAddresses>;

/** The link of a mail about a change, and whose change it is; null where there is nothing that a link could do. */
export const LinkOfEmailChange = z
  .object({ link: z.object({ userId: Uuid, token: z.string(), expiresAt: InstantOut }).nullable() })
  .meta({ id: 'LinkOfEmailChange' });
export type LinkOfEmailChange = z.output<typeof LinkOfEmailChange>;

/** `mailId`: the request of the mail by which a new password is set. */
export const EmailChangeReverted = Standing.extend({ mailId: Uuid.nullable() }).meta({ id: 'EmailChangeReverted' });
export type EmailChangeReverted = z.output<typeof EmailChangeReverted>;

/** The page for people that the mail to the new address links to, `?token=…`. No operation of the API: it answers HTML. */
export const CONFIRM_PAGE = '/api/auth/confirm-email-change';
/** The page for people that the mail to the address of before links to, `?token=…`: the same. */
export const REVERT_PAGE = '/api/auth/revert-email-change';

export const operations = {
  changeEmail: endpoint({
    method: 'post',
    path: '/api/users/{id}/change-email',
    operationId: 'changeEmail',
    summary: "Ask for another address of one's own account",
    description:
      'A link is sent to the new address, which works for 24 hours; the address is changed once it was used. A newer request replaces one that was not ' +
      'confirmed yet, and so does another password. A wrong password answers 422 at `password`, and counts as one of `changePassword` does; the address ' +
      'that the account has answers 422 at `email`. Three requests an hour are taken.',
    access: 'user',
    idempotency: 'none',
    params: IdParams,
    body: ChangeEmailRequest,
    replies: { 202: RequestedEmailChange },
    errors: ['email_taken', 'conflict'],
  }),
  confirmEmailChange: endpoint({
    method: 'post',
    path: '/api/auth/email-change/confirm',
    operationId: 'confirmEmailChange',
    summary: 'Change the address with the token that was sent to the new one',
    description:
      'Answers 204 once the address is changed, and 202 where that takes longer than ten seconds. A repetition is answered by how the change stands. The ' +
      'address that somebody else has by now answers 409. All sessions end but the one that asked for the change. A mail to the address of before says how ' +
      'the change is taken back within seven days, if that address had been proven; it is nobody else’s until then.',
    access: 'anonymous',
    idempotency: 'none',
    body: EmailChangeToken,
    replies: { 202: z.strictObject({}), 204: null },
    errors: ['invalid_token', 'email_taken', 'request_expired'],
  }),
  revertEmailChange: endpoint({
    method: 'post',
    path: '/api/auth/email-change/revert',
    operationId: 'revertEmailChange',
    summary: 'Take a change of the address back with the token that was sent to the one of before',
    description:
      'Works for seven days. All sessions end at once, and the password works no more: a link by which a new one is set is sent to the address. Changes ' +
      'that were made later are void. Answers 204 once the account has its address again, and 202 where that takes longer than ten seconds.',
    access: 'anonymous',
    idempotency: 'none',
    body: EmailChangeToken,
    replies: { 202: z.strictObject({}), 204: null },
    errors: ['invalid_token', 'conflict'],
  }),
  sweepEmailChanges: endpoint({
    method: 'post',
    path: '/internal/email-changes/sweep',
    operationId: 'internalSweepEmailChanges',
    summary: 'Start the sagas of changes that have none, and tell others how their change stands',
    access: 'service',
    replies: { 200: Swept },
  }),
  getEmailChangeAddresses: endpoint({
    method: 'get',
    path: '/internal/email-changes/{id}/addresses',
    operationId: 'internalGetEmailChangeAddresses',
    summary: 'The two addresses of a change, for notification alone',
    access: 'service',
    params: IdParams,
    replies: { 200: EmailChangeAddresses },
  }),
  lookAtEmailChange: endpoint({
    method: 'post',
    path: '/internal/email-changes/{id}/look',
    operationId: 'internalLookAtEmailChange',
    summary: 'How a change stands; what has run out is noted',
    access: 'service',
    params: IdParams,
    replies: { 200: EmailChange },
  }),
  issueConfirmLink: endpoint({
    method: 'post',
    path: '/internal/email-changes/{id}/confirm-link',
    operationId: 'internalIssueConfirmLink',
    summary: 'The link that confirms a change, for 24 hours',
    access: 'service',
    idempotency: 'required',
    params: IdParams,
    replies: { 200: LinkOfEmailChange },
    errors: ['undone'],
  }),
  withdrawEmailChange: endpoint({
    method: 'post',
    path: '/internal/email-changes/{id}/withdraw',
    operationId: 'internalWithdrawEmailChange',
    summary: 'Undo of issuing the link: what is not made is not made any more',
    access: 'service',
    idempotency: 'undo',
    params: IdParams,
    replies: { 204: null },
  }),
  makeEmailChange: endpoint({
    method: 'post',
    path: '/internal/email-changes/{id}/make',
    operationId: 'internalMakeEmailChange',
    summary: 'Give the account its new address: the pivot',
    access: 'service',
    idempotency: 'required',
    params: IdParams,
    replies: { 200: Standing },
  }),
  issueRevertLink: endpoint({
    method: 'post',
    path: '/internal/email-changes/{id}/revert-link',
    operationId: 'internalIssueRevertLink',
    summary: 'The link that takes a change back, for seven days',
    access: 'service',
    idempotency: 'required',
    params: IdParams,
    replies: { 200: LinkOfEmailChange },
  }),
  takeEmailChangeBack: endpoint({
    method: 'post',
    path: '/internal/email-changes/{id}/take-back',
    operationId: 'internalTakeEmailChangeBack',
    summary: 'Give the account its address of before again',
    access: 'service',
    idempotency: 'required',
    params: IdParams,
    replies: { 200: EmailChangeReverted },
  }),
} as const;

import { z } from 'zod';
import { endpoint } from '../../../platform/endpoint';
import { IdParams, InstantOut, Swept, Uuid } from '../../../platform/schemas';
import { UserRole, UserStatus } from './account';

/** What other contexts need of a user, by way of activities. */
export const InternalUser = z
  .object({
    id: Uuid,
    email: z.string(),
    role: UserRole,
    status: UserStatus,
    emailVerified: z.boolean(),
    firstName: z.string(),
    lastName: z.string(),
    timeZone: z.string(),
    locale: z.string(),
  })
  .meta({ id: 'InternalUser' });
export type InternalUser = z.output<typeof InternalUser>;

/** What is said of a person to another, and how they read times and money. No address. */
export const InternalPerson = InternalUser.pick({
  ...{ id: true, firstName: true, lastName: true, timeZone: true, locale: true },
}).meta({ id: 'InternalPerson' });
export type InternalPerson = z.output<typeof InternalPerson>;

/** Where a person is reached: their address, and how they read what is sent there. `asOf`: when their account changed last. */
export const UserContact = z
  .object({
    userId: Uuid,
    email: z.string(),
    emailVerified: z.boolean(),
    name: z.string(),
    locale: z.string(),
    timeZone: z.string(),
    asOf: InstantOut,
  })
  .meta({ id: 'UserContact' });
export type UserContact = z.output<typeof UserContact>;

export const CreatedProfile = z
  .object({ displayName: z.string(), timeZone: z.string(), locale: z.string(), role: UserRole })
  .meta({ id: 'CreatedProfile' });
export type CreatedProfile = z.output<typeof CreatedProfile>;

export const EmailVerification = z
  .object({ token: z.string(), expiresAt: InstantOut })
  .meta({ id: 'EmailVerification' });
export type EmailVerification = z.output<typeof EmailVerification>;

const MailPurpose = z.enum(['password_reset', 'email_verification']);

/** A mail that somebody asked for: what it is for, null where nothing is to be sent. */
export const AccountMail = z.object({ purpose: MailPurpose.nullable() }).meta({ id: 'AccountMail' });
export type AccountMail = z.output<typeof AccountMail>;

/** `tutor`: there is something to take from them elsewhere. */
const SuspensionState = z
  .object({ tutor: z.boolean(), until: InstantOut.nullable(), over: z.boolean() })
  .meta({ id: 'SuspensionState' });

/** The link of such a mail, and to whom it goes. */
export const LinkOfMail = z
  .object({
    link: z
      .object({
        ...{ purpose: MailPurpose, token: z.string(), expiresAt: InstantOut, userId: Uuid },
        // An identity of before has none to name.
        providers: z.array(z.string()).default([]).meta({ description: 'By whom else alone the person signs in' }),
      })
      .nullable(),
  })
  .meta({ id: 'LinkOfMail' });
export type LinkOfMail = z.output<typeof LinkOfMail>;

/** What activities call: the steps and undos of the sign-up saga, the steps of mails with a link, and what other contexts need to know of a user or a session. */
export const sagaOperations = {
  getSession: endpoint({
    method: 'get',
    path: '/internal/sessions/{id}',
    operationId: 'internalGetSession',
    summary: 'Whether a session goes on, for a gateway that hears nothing of the event bus',
    access: 'service',
    params: IdParams,
    replies: { 200: z.object({ open: z.boolean() }) },
  }),
  getUser: endpoint({
    method: 'get',
    path: '/internal/users/{id}',
    operationId: 'internalGetUser',
    summary: 'A user with name and address',
    access: 'service',
    params: IdParams,
    replies: { 200: InternalUser },
  }),
  getPeople: endpoint({
    method: 'get',
    path: '/internal/people',
    operationId: 'internalGetPeople',
    summary: 'The two people of a booking or payment, with their names',
    access: 'service',
    query: z.strictObject({ first: Uuid, second: Uuid }),
    replies: { 200: z.object({ first: InternalPerson, second: InternalPerson }) },
    errors: ['not_found'],
  }),
  getPair: endpoint({
    method: 'get',
    path: '/internal/users',
    operationId: 'internalGetPair',
    summary: 'The same with addresses, as workers of before ask for it',
    access: 'service',
    query: z.strictObject({ first: Uuid, second: Uuid }),
    replies: { 200: z.object({ first: InternalUser, second: InternalUser }) },
    errors: ['not_found'],
  }),
  getContact: endpoint({
    method: 'get',
    path: '/internal/contacts/{id}',
    operationId: 'internalGetContact',
    summary: 'Where a person is reached, for notification alone',
    access: 'service',
    params: IdParams,
    replies: { 200: UserContact },
  }),
  listContacts: endpoint({
    method: 'get',
    path: '/internal/contacts',
    operationId: 'internalListContacts',
    summary: 'Where active people are reached, a page at a time, by their ids',
    access: 'service',
    query: z.strictObject({
      after: Uuid.optional().meta({ description: 'The last of the page before; left out: the first page' }),
      limit: z.coerce.number().int().min(1).max(500),
    }),
    replies: {
      200: z.object({
        items: z.array(UserContact),
        next: Uuid.nullable().meta({ description: 'The last of this page; null after the last page' }),
      }),
    },
  }),
  createProfile: endpoint({
    method: 'post',
    path: '/internal/users/{id}/profile',
    operationId: 'internalCreateProfile',
    summary: 'Make the profile from what registration stored',
    access: 'service',
    idempotency: 'required',
    params: IdParams,
    replies: { 200: CreatedProfile },
    errors: ['undone'],
  }),
  removeProfile: endpoint({
    method: 'post',
    path: '/internal/users/{id}/profile/remove',
    operationId: 'internalRemoveProfile',
    summary: 'Undo of making the profile',
    access: 'service',
    idempotency: 'undo',
    params: IdParams,
    replies: { 204: null },
    errors: ['invalid_state'],
  }),
  sweepSignUps: endpoint({
    method: 'post',
    path: '/internal/users/sweep',
    operationId: 'internalSweepSignUps',
    summary: 'Start the sagas of registrations that have none',
    access: 'service',
    replies: { 200: Swept },
  }),
  activateUser: endpoint({
    method: 'post',
    path: '/internal/users/{id}/activate',
    operationId: 'internalActivateUser',
    summary: 'Let the user log in: the pivot of sign-up',
    access: 'service',
    idempotency: 'required',
    params: IdParams,
    replies: { 200: z.object({ status: UserStatus }) },
    errors: ['invalid_state', 'undone'],
  }),
  removeUser: endpoint({
    method: 'post',
    path: '/internal/users/{id}/remove',
    operationId: 'internalRemoveUser',
    summary: 'Undo of registering: removes a pending user, so that the address can register again',
    access: 'service',
    idempotency: 'undo',
    params: IdParams,
    replies: { 204: null },
    errors: ['invalid_state'],
  }),
  issueEmailVerification: endpoint({
    method: 'post',
    path: '/internal/users/{id}/email-verification',
    operationId: 'internalIssueEmailVerification',
    summary: 'A single-use token that proves the e-mail address, valid for 24 hours',
    description: 'A new key replaces tokens that were not used; the same key gives the same token again.',
    access: 'service',
    idempotency: 'required',
    params: IdParams,
    replies: { 200: EmailVerification },
  }),
  sweepTutorAccounts: endpoint({
    method: 'post',
    path: '/internal/tutor-accounts/sweep',
    operationId: 'internalSweepTutorAccounts',
    summary: 'Start the sagas of requests to become a tutor that have none',
    access: 'service',
    replies: { 200: Swept },
  }),
  beginTutorAccount: endpoint({
    method: 'post',
    path: '/internal/tutor-accounts/{id}/begin',
    operationId: 'internalBeginTutorAccount',
    summary: 'A saga carries this request to become a tutor out',
    access: 'service',
    idempotency: 'required',
    params: IdParams,
    replies: { 204: null },
    errors: ['not_found', 'undone'],
  }),
  refuseTutorAccount: endpoint({
    method: 'post',
    path: '/internal/tutor-accounts/{id}/refuse',
    operationId: 'internalRefuseTutorAccount',
    summary: 'Undo of the request: the person stays what they are, and can ask again',
    access: 'service',
    idempotency: 'undo',
    params: IdParams,
    replies: { 204: null },
    errors: ['invalid_state'],
  }),
  becomeTutor: endpoint({
    method: 'post',
    path: '/internal/tutor-accounts/{id}/open',
    operationId: 'internalBecomeTutor',
    summary: 'The person is a tutor: the pivot',
    access: 'service',
    idempotency: 'required',
    params: IdParams,
    replies: { 204: null },
    errors: ['not_found', 'undone'],
  }),
  sweepSuspensions: endpoint({
    method: 'post',
    path: '/internal/suspensions/sweep',
    operationId: 'internalSweepSuspensions',
    summary: 'Start the sagas of suspensions that have none',
    access: 'service',
    replies: { 200: Swept },
  }),
  lookAtSuspension: endpoint({
    method: 'post',
    path: '/internal/suspensions/{id}/look',
    operationId: 'internalLookAtSuspension',
    summary: 'How a suspension stands, for the saga that carries it out',
    access: 'service',
    idempotency: 'required',
    params: IdParams,
    replies: { 200: SuspensionState },
  }),
  reinstateUser: endpoint({
    method: 'post',
    path: '/internal/suspensions/{id}/end',
    operationId: 'internalReinstateUser',
    summary: 'The suspension is over: the person can sign in again',
    access: 'service',
    idempotency: 'required',
    params: IdParams,
    replies: { 204: null },
    errors: ['not_found'],
  }),
  sweepAccountMails: endpoint({
    method: 'post',
    path: '/internal/account-mails/sweep',
    operationId: 'internalSweepAccountMails',
    summary: 'Start the sagas of mails that were asked for and have none',
    access: 'service',
    replies: { 200: Swept },
  }),
  beginAccountMail: endpoint({
    method: 'post',
    path: '/internal/account-mails/{id}/begin',
    operationId: 'internalBeginAccountMail',
    summary: 'What is to be sent, if anything, to whoever asked for a mail',
    access: 'service',
    idempotency: 'required',
    params: IdParams,
    replies: { 200: AccountMail },
  }),
  issueLink: endpoint({
    method: 'post',
    path: '/internal/account-mails/{id}/link',
    operationId: 'internalIssueLink',
    summary: 'A single-use link for a mail that was asked for',
    description: 'A new key replaces tokens that were not used; the same key gives the same token again.',
    access: 'service',
    idempotency: 'required',
    params: IdParams,
    replies: { 200: LinkOfMail },
  }),
} as const;

import type { z } from 'zod';
import { endpoint } from '../../../platform/endpoint';
import { IdParams, PageQuery, pageOf, text } from '../../../platform/schemas';
import {
  ChangeRoleRequest,
  SuspendRequest,
  Suspension,
  UnsuspendRequest,
  UpdateUserRequest,
  User,
  UserRole,
  UserStatus,
} from './account';

export const UserQuery = PageQuery.extend({
  q: text(0, 254).optional().meta({
    description: 'Beginnings of words of the name, or the beginning of the e-mail address, in any case',
  }),
  role: UserRole.optional(),
  status: UserStatus.optional(),
});
export type UserQuery = z.output<typeof UserQuery>;

/** Accounts: one's own, and what administrators do with those of others. */
export const userOperations = {
  listUsers: endpoint({
    method: 'get',
    path: '/api/users',
    operationId: 'listUsers',
    summary: 'Users, the newest first, for administrators',
    access: ['admin'],
    query: UserQuery,
    replies: { 200: pageOf(User) },
  }),
  updateUser: endpoint({
    method: 'patch',
    path: '/api/users/{id}',
    operationId: 'updateUser',
    summary: "Change one's own profile",
    access: 'user',
    idempotency: 'optional',
    params: IdParams,
    body: UpdateUserRequest,
    replies: { 200: User },
  }),
  changeRole: endpoint({
    method: 'patch',
    path: '/api/users/{id}/role',
    operationId: 'changeRole',
    summary: "Change a person's role, as an administrator",
    description:
      "The person's sessions end, and they are told by mail; the role that they have already changes nothing. A student who becomes a tutor stays " +
      'signed in: what a tutor has is opened first, and 202 answers with the user as they are when that takes more than ten seconds. Who has it ' +
      'does not become a student: earnings, bookings and profile are reached by a tutor alone. An administrator who has it not becomes a student ' +
      'first. Both answer `invalid_state`. The last administrator stays one, whoever asks at the same moment.',
    access: ['admin'],
    idempotency: 'none',
    params: IdParams,
    body: ChangeRoleRequest,
    replies: { 200: User, 202: User },
    errors: ['invalid_state', 'last_admin'],
  }),
  suspendUser: endpoint({
    method: 'post',
    path: '/api/users/{id}/suspend',
    operationId: 'suspendUser',
    summary: 'Keep a person out, as an administrator',
    description:
      'Their sessions end, and login answers `account_suspended`. A tutor is not found any more, requests that wait for them are declined, sessions ' +
      'within 24 hours are cancelled and given back in full, and no payout of theirs begins; an operator is asked about all other sessions. With ' +
      '`until` it ends by itself. Whoever is suspended already, or no active user, answers `invalid_state`; the last administrator `last_admin`.',
    access: ['admin'],
    idempotency: 'none',
    params: IdParams,
    body: SuspendRequest,
    replies: { 200: Suspension },
    errors: ['invalid_state', 'last_admin'],
  }),
  unsuspendUser: endpoint({
    method: 'post',
    path: '/api/users/{id}/unsuspend',
    operationId: 'unsuspendUser',
    summary: 'Let a person in again, as an administrator',
    description:
      'They can sign in at once; a tutor is found again, and paid out, some seconds later, or some minutes where the saga could not be told. ' +
      'Whoever is not suspended answers `invalid_state`.',
    access: ['admin'],
    idempotency: 'none',
    params: IdParams,
    body: UnsuspendRequest,
    replies: { 200: Suspension },
    errors: ['invalid_state'],
  }),
  openTutorAccount: endpoint({
    method: 'post',
    path: '/api/users/{id}/tutor-account',
    operationId: 'openTutorAccount',
    summary: 'Become a tutor',
    description:
      'Answers 200 with the user as a tutor once an account to be paid out to and an empty profile are there, or 202 with the user as they are when ' +
      'that takes more than ten seconds; `GET /api/auth/me` says when they are a tutor. Access tokens have the new role from the next refresh on. ' +
      'A tutor books nothing; what they booked as a student stays theirs, as do their saved cards. ' +
      'Asked for again it is the same request. An administrator does not ask for it (`invalid_state`).',
    access: 'user',
    idempotency: 'none',
    params: IdParams,
    replies: { 200: User, 202: User },
    errors: ['invalid_state'],
  }),
} as const;

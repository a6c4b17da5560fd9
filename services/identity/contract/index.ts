import { domainToASCII } from 'node:url';
import { z } from 'zod';
import { endpoint } from '../../../platform/endpoint';
import { IdParams, InstantOut, PageQuery, pageOf, TimeZone, text, Uuid } from '../../../platform/schemas';

/** RFC 5321 §4.5.3.1.3 allows a path of 256 octets with its angle brackets. */
const MAX_EMAIL = 254;
const MAX_LOCAL_PART = 64;
// Deliberately less than RFC 5321 allows: no quotes, no leading sign, nothing a shell, a spreadsheet or a mail header could
// misread, and nothing that zod's own `z.email()`, by which other services check it again, refuses.
const EMAIL =
  /^[A-Za-z0-9_][A-Za-z0-9_+-]*('[A-Za-z0-9_+-]+)*(\.[A-Za-z0-9_+-]+('[A-Za-z0-9_+-]+)*)*@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}$/;

/** Trimmed, NFC, domain in lower case and in its ASCII form (`bücher.example` → `xn--bcher-kva.example`). */
function normalizeEmail(value: string): string {
  const trimmed = value.normalize('NFC').trim();
  const at = trimmed.lastIndexOf('@');
  if (at < 0 || trimmed.length > MAX_EMAIL) return trimmed;
  const domain = trimmed.slice(at + 1);
  // Plain ASCII is only lowered: the URL parser would turn `1.2` or `0x7f.1` into an address.
  const ascii = /^[\x21-\x7e]*$/.test(domain) ? domain.toLowerCase() : domainToASCII(domain);
  return `${trimmed.slice(0, at)}@${ascii}`;
}

export const Email = z
  .string()
  .overwrite(normalizeEmail)
  .max(MAX_EMAIL)
  .regex(EMAIL, 'must be an e-mail address such as ada@example.com')
  .refine((value) => value.indexOf('@') <= MAX_LOCAL_PART, 'has more than 64 characters before the @');

const MIN_PASSWORD = 10;
const MAX_PASSWORD = 128;

/** Length counts characters (code points) after NFC, so that one typed on another keyboard is the same password. Never trimmed. */
export const NewPassword = z
  .string()
  .overwrite((value) => value.normalize('NFC'))
  .refine((value) => value.isWellFormed(), 'must be well-formed Unicode')
  .refine((value) => {
    const characters = [...value].length;
    return characters >= MIN_PASSWORD && characters <= MAX_PASSWORD;
  }, `must have ${MIN_PASSWORD} to ${MAX_PASSWORD} characters`)
  .meta({ minLength: MIN_PASSWORD, maxLength: MAX_PASSWORD });

/** A BCP 47 language tag, in canonical case. */
export const Locale = z
  .string()
  .min(2)
  .max(35)
  .refine((value) => canonicalLocale(value) !== undefined, 'is not a language tag such as en or de-AT')
  .overwrite((value) => canonicalLocale(value) ?? value);

function canonicalLocale(tag: string): string | undefined {
  try {
    return Intl.getCanonicalLocales(tag)[0];
  } catch {
    return undefined;
  }
}

/** An https URL without credentials in it, at most 2,048 characters. */
export const AvatarUrl = z
  .string()
  .trim()
  .max(2_048)
  .refine(isPlainHttpsUrl, 'must be an https URL')
  .meta({ pattern: '^https://' });

function isPlainHttpsUrl(value: string): boolean {
  // A raw space, quote or angle bracket would be harmless in a URL parser and harmful in a page.
  if (!/^https:\/\/[\x21\x23-\x26\x28-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7a~]+$/i.test(value) || !URL.canParse(value))
    return false;
  const url = new URL(value);
  return url.username === '' && url.password === '';
}

/** On one line. First and last name together stay below the 200 characters that other contexts accept for a name. */
const PersonName = text(1, 80).overwrite((name) => name.replaceAll(/\s+/g, ' '));

/** What one may register as; admins are made by admins. */
export const SignUpRole = z.enum(['student', 'tutor']);
export const UserRole = z.enum(['student', 'tutor', 'admin']);
export const UserStatus = z.enum(['pending', 'active']);

export const Profile = z
  .object({
    firstName: z.string(),
    lastName: z.string(),
    avatarUrl: z.string().nullable(),
    timeZone: z.string(),
    locale: z.string(),
  })
  .meta({ id: 'Profile' });

export const User = z
  .object({
    id: Uuid,
    email: z.string(),
    role: UserRole,
    status: UserStatus,
    emailVerified: z.boolean(),
    profile: Profile,
    createdAt: InstantOut,
  })
  .meta({ id: 'User' });
export type User = z.output<typeof User>;

export const Tokens = z
  .object({
    tokenType: z.literal('Bearer'),
    accessToken: z.string(),
    accessTokenExpiresAt: InstantOut,
    refreshToken: z.string(),
    refreshTokenExpiresAt: InstantOut,
  })
  .meta({ id: 'Tokens', description: 'The access token lives 15 minutes; the refresh token works once' });
export type Tokens = z.output<typeof Tokens>;

export const RegisterRequest = z
  .strictObject({
    email: Email,
    password: NewPassword,
    role: SignUpRole,
    firstName: PersonName,
    lastName: PersonName,
    timeZone: TimeZone.default('UTC'),
    locale: Locale.default('en'),
  })
  .meta({ id: 'RegisterRequest' });
export type RegisterRequest = z.output<typeof RegisterRequest>;

/** Any text is accepted here and simply does not match, so that a refusal says nothing about the address. */
export const LoginRequest = z
  .strictObject({ email: z.string().min(1).max(1_024), password: z.string().min(1).max(1_024) })
  .meta({ id: 'LoginRequest' });

export const RefreshRequest = z
  .strictObject({ refreshToken: z.string().min(1).max(512) })
  .meta({ id: 'RefreshRequest' });
export const VerifyEmailRequest = z
  .strictObject({ token: z.string().min(1).max(512) })
  .meta({ id: 'VerifyEmailRequest' });

export const UpdateUserRequest = z
  .strictObject({
    firstName: PersonName.optional(),
    lastName: PersonName.optional(),
    avatarUrl: z.union([AvatarUrl, z.null()]).optional(),
    timeZone: TimeZone.optional(),
    locale: Locale.optional(),
  })
  .refine((body) => Object.keys(body).length > 0, 'must name at least one field')
  .meta({ id: 'UpdateUserRequest', minProperties: 1 });
export type UpdateUserRequest = z.output<typeof UpdateUserRequest>;

export const Session = z
  .object({
    id: Uuid,
    current: z.boolean(),
    userAgent: z.string().nullable(),
    address: z.string().nullable(),
    createdAt: InstantOut,
    lastUsedAt: InstantOut,
    expiresAt: InstantOut,
  })
  .meta({ id: 'Session', description: 'One sign-in on one device' });
export type Session = z.output<typeof Session>;

export const Jwk = z
  .object({
    kty: z.literal('EC'),
    crv: z.literal('P-256'),
    x: z.string(),
    y: z.string(),
    kid: z.string(),
    alg: z.literal('ES256'),
    use: z.literal('sig'),
  })
  .meta({ id: 'Jwk', description: 'A public key (RFC 7517)' });
export type Jwk = z.output<typeof Jwk>;

const UserAndTokens = z.object({ user: User, tokens: Tokens });

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

export const CreatedProfile = z
  .object({ displayName: z.string(), timeZone: z.string(), locale: z.string(), role: UserRole })
  .meta({ id: 'CreatedProfile' });
export type CreatedProfile = z.output<typeof CreatedProfile>;

export const EmailVerification = z
  .object({ token: z.string(), expiresAt: InstantOut })
  .meta({ id: 'EmailVerification' });
export type EmailVerification = z.output<typeof EmailVerification>;

/** The page for people that the welcome mail links to, `?token=…`. No operation of the API: it answers HTML. */
export const VERIFICATION_PAGE = '/api/auth/confirm-email';

export const identityContract = {
  register: endpoint({
    method: 'post',
    path: '/api/auth/register',
    operationId: 'register',
    summary: 'Register a student or tutor',
    description:
      'Answers 201 with tokens once the account is active, or 202 without tokens when setting it up takes more than ten seconds; until then login answers `account_pending`.',
    access: 'anonymous',
    idempotency: 'none',
    body: RegisterRequest,
    replies: { 201: UserAndTokens, 202: z.object({ user: User }) },
    errors: ['email_taken'],
  }),
  login: endpoint({
    method: 'post',
    path: '/api/auth/login',
    operationId: 'login',
    summary: 'Sign in and open a session',
    access: 'anonymous',
    idempotency: 'none',
    body: LoginRequest,
    replies: { 200: UserAndTokens },
    errors: ['invalid_credentials', 'account_pending'],
  }),
  refresh: endpoint({
    method: 'post',
    path: '/api/auth/refresh',
    operationId: 'refreshTokens',
    summary: 'Exchange a refresh token for new tokens',
    description:
      'Each refresh token works once. Within ten seconds of its use it is only refused; using it later ends the session it belongs to.',
    access: 'anonymous',
    idempotency: 'none',
    body: RefreshRequest,
    replies: { 200: z.object({ tokens: Tokens }) },
    errors: ['invalid_refresh_token'],
  }),
  logout: endpoint({
    method: 'post',
    path: '/api/auth/logout',
    operationId: 'logout',
    summary: 'End the session of a refresh token',
    description: 'Answers 204 whether or not the token was still of use (RFC 7009 §2.2).',
    access: 'anonymous',
    idempotency: 'none',
    body: RefreshRequest,
    replies: { 204: null },
  }),
  me: endpoint({
    method: 'get',
    path: '/api/auth/me',
    operationId: 'getMe',
    summary: 'The signed-in user',
    access: 'user',
    replies: { 200: User },
  }),
  jwks: endpoint({
    method: 'get',
    path: '/api/auth/.well-known/jwks.json',
    operationId: 'getJwks',
    summary: 'The public keys that access tokens are verified with (RFC 7517)',
    access: 'anonymous',
    replies: { 200: z.object({ keys: z.array(Jwk) }) },
  }),
  verifyEmail: endpoint({
    method: 'post',
    path: '/api/auth/verify-email',
    operationId: 'verifyEmail',
    summary: 'Prove an e-mail address with the token that was sent to it',
    access: 'anonymous',
    idempotency: 'none',
    body: VerifyEmailRequest,
    replies: { 204: null },
    errors: ['invalid_token'],
  }),
  listSessions: endpoint({
    method: 'get',
    path: '/api/auth/sessions',
    operationId: 'listSessions',
    summary: 'Where the user is signed in, newest first',
    access: 'user',
    query: PageQuery,
    replies: { 200: pageOf(Session) },
  }),
  endSession: endpoint({
    method: 'delete',
    path: '/api/auth/sessions/{id}',
    operationId: 'endSession',
    summary: 'Sign out one session',
    access: 'user',
    idempotency: 'none',
    params: IdParams,
    replies: { 204: null },
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

  getUser: endpoint({
    method: 'get',
    path: '/internal/users/{id}',
    operationId: 'internalGetUser',
    summary: 'A user with name and address',
    access: 'service',
    params: IdParams,
    replies: { 200: InternalUser },
  }),
  getPair: endpoint({
    method: 'get',
    path: '/internal/users',
    operationId: 'internalGetPair',
    summary: 'The two people of a booking or payment, with names and addresses',
    access: 'service',
    query: z.strictObject({ first: Uuid, second: Uuid }),
    replies: { 200: z.object({ first: InternalUser, second: InternalUser }) },
    errors: ['not_found'],
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
    idempotency: 'required',
    params: IdParams,
    replies: { 204: null },
    errors: ['invalid_state'],
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
    idempotency: 'required',
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
} as const;

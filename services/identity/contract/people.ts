import { z } from 'zod';
import { endpoint } from '../../../platform/endpoint';
import { IdParams, InstantOut, PageQuery, pageOf, Uuid } from '../../../platform/schemas';
import { NewPassword, RegisterRequest, User } from './account';
import { AssertedCredential, CredentialOptions } from './passkeys';
import { Code } from './second-factor';

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

/** Any text is accepted here and simply does not match, so that a refusal says nothing about the address. */
export const LoginRequest = z
  .strictObject({ email: z.string().min(1).max(1_024), password: z.string().min(1).max(1_024) })
  .meta({ id: 'LoginRequest' });

export const SecondFactor = z.enum(['totp', 'recovery_code', 'passkey']);
export type SecondFactor = z.output<typeof SecondFactor>;

export const LoginChallenge = z
  .object({
    id: z.string(),
    methods: z.array(SecondFactor).meta({ description: 'What the person can show. Others may be added' }),
    passkey: CredentialOptions.optional().meta({
      description: 'For `PublicKeyCredential.parseRequestOptionsFromJSON` of a browser, where the person has passkeys',
    }),
    expiresAt: InstantOut,
  })
  .meta({ id: 'LoginChallenge', description: 'The password was right; the second factor is still to be shown' });
export type LoginChallenge = z.output<typeof LoginChallenge>;

const ChallengeId = z.string().min(1).max(512);
export const MeetChallengeRequest = z
  .union([
    z.strictObject({ challengeId: ChallengeId, code: Code }),
    z.strictObject({ challengeId: ChallengeId, passkey: AssertedCredential }),
  ])
  .meta({ id: 'MeetChallengeRequest' });

const RefreshToken = z.string().min(1).max(512);
export const RefreshRequest = z
  .strictObject({
    refreshToken: RefreshToken,
    refreshId: Uuid.optional().meta({
      description:
        'A new UUID for each refresh, noted before it is asked for; a repeat after a lost answer names it again',
    }),
  })
  .meta({ id: 'RefreshRequest' });
export const LogoutRequest = z.strictObject({ refreshToken: RefreshToken }).meta({ id: 'LogoutRequest' });
export const VerifyEmailRequest = z
  .strictObject({ token: z.string().min(1).max(512) })
  .meta({ id: 'VerifyEmailRequest' });

/** Any text is accepted here and simply has no account, so that the answer says nothing about the address. */
export const ForgotPasswordRequest = z
  .strictObject({ email: z.string().min(1).max(1_024) })
  .meta({ id: 'ForgotPasswordRequest' });
export const ResetPasswordRequest = z
  .strictObject({ token: z.string().min(1).max(512), password: NewPassword })
  .meta({ id: 'ResetPasswordRequest' });
export const ChangePasswordRequest = z
  .strictObject({ currentPassword: z.string().min(1).max(1_024), newPassword: NewPassword })
  .meta({ id: 'ChangePasswordRequest' });

/** Others may be added. */
export const SignInMethod = z
  .string()
  .regex(/^(password|passkey|oidc:[a-z0-9-]{1,32})$/)
  .meta({
    id: 'SignInMethod',
    description:
      'How the person signed in: `password`, `passkey`, or `oidc:` with the name of a provider. Others may be added',
  });

export const Session = z
  .object({
    id: Uuid,
    current: z.boolean(),
    method: SignInMethod,
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

/** Who has signed in, and what they are known by from here on. */
export const UserAndTokens = z.object({ user: User, tokens: Tokens });

/** The page for people that the welcome mail links to, `?token=…`. No operation of the API: it answers HTML. */
export const VERIFICATION_PAGE = '/api/auth/confirm-email';
/** The page for people where a new password is set, that its mail links to, `?token=…`. */
export const RESET_PAGE = '/api/auth/reset';
export { FORGOT_PAGE } from '../../../kernel/pages';

/** What people call, through the gateway. */
export const peopleOperations = {
  register: endpoint({
    method: 'post',
    path: '/api/auth/register',
    operationId: 'register',
    summary: 'Register a student or tutor',
    description:
      'Without `timeZone` it is UTC. ' +
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
    description:
      'Answers 202 with a challenge where the person has a second factor: `POST /api/auth/login/challenge` goes on.',
    access: 'anonymous',
    idempotency: 'none',
    body: LoginRequest,
    replies: { 200: UserAndTokens, 202: z.object({ challenge: LoginChallenge }) },
    errors: ['invalid_credentials', 'account_pending', 'account_suspended'],
  }),
  meetChallenge: endpoint({
    method: 'post',
    path: '/api/auth/login/challenge',
    operationId: 'meetChallenge',
    summary: 'Show the second factor and open the session',
    description:
      'A challenge counts for five minutes and until it is met, and a code once. Five wrong codes or passkeys may be tried for an account in a quarter of an hour, ' +
      'whatever the number of its challenges; then it answers 429.',
    access: 'anonymous',
    idempotency: 'none',
    body: MeetChallengeRequest,
    replies: { 200: UserAndTokens },
    errors: ['invalid_credentials', 'account_suspended'],
  }),
  refresh: endpoint({
    method: 'post',
    path: '/api/auth/refresh',
    operationId: 'refreshTokens',
    summary: 'Exchange a refresh token for new tokens',
    description:
      'Each refresh token works once. A client that may have lost the answer repeats the request with the same `refreshId`: within thirty ' +
      'seconds, and as long as the new refresh token has not been used, it gets the same refresh token again, with a new access token. ' +
      'Any other use of a token that was used is refused, and ends its session when ten seconds have passed, or at once when the new one was used.',
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
    body: LogoutRequest,
    replies: { 204: null },
  }),
  me: endpoint({
    method: 'get',
    path: '/api/auth/me',
    operationId: 'getMe',
    summary: 'The signed-in user',
    access: 'user',
    withoutSecondFactor: true,
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
  resendVerification: endpoint({
    method: 'post',
    path: '/api/auth/verify-email/resend',
    operationId: 'resendVerification',
    summary: "Have another link sent that proves one's e-mail address",
    description:
      'Three times an hour. Where the address is proven already nothing is sent, and the answer is the same.',
    access: 'user',
    idempotency: 'none',
    replies: { 204: null },
  }),
  forgotPassword: endpoint({
    method: 'post',
    path: '/api/auth/forgot-password',
    operationId: 'forgotPassword',
    summary: 'Have a link sent by which a new password is set',
    description:
      'Answers 202 whether or not there is such an account. Ten requests an hour of one network address are taken, then it answers 429. ' +
      'Of the requests for one account the first three of an hour are: for the others it answers 202 as well, nothing is sent, and the link that ' +
      'was sent before goes on to work. So nobody keeps somebody else from theirs.',
    access: 'anonymous',
    idempotency: 'none',
    body: ForgotPasswordRequest,
    replies: { 202: z.strictObject({}) },
  }),
  resetPassword: endpoint({
    method: 'post',
    path: '/api/auth/reset-password',
    operationId: 'resetPassword',
    summary: 'Set a new password with the token that was sent',
    description:
      'The token works once, for 30 minutes, and until a newer one is sent or the password or the address changes. It proves the e-mail address. ' +
      'All sessions of the account end.',
    access: 'anonymous',
    idempotency: 'none',
    body: ResetPasswordRequest,
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
  endOtherSessions: endpoint({
    method: 'delete',
    path: '/api/auth/sessions',
    operationId: 'endOtherSessions',
    summary: 'Sign out all sessions but this one',
    access: 'user',
    idempotency: 'none',
    replies: { 204: null },
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
  changePassword: endpoint({
    method: 'post',
    path: '/api/users/{id}/change-password',
    operationId: 'changePassword',
    summary: "Change one's own password",
    description:
      'All other sessions of the account end, and links by which a password could be set work no more. Five current passwords may be tried in a ' +
      'quarter of an hour. A wrong one, or one that was replaced in the same moment, answers 422 at `currentPassword`; the same one again 422 at ' +
      '`newPassword`.',
    access: 'user',
    idempotency: 'none',
    params: IdParams,
    body: ChangePasswordRequest,
    replies: { 204: null },
  }),
} as const;

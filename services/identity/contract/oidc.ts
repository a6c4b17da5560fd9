import { z } from 'zod';
import { PROVIDER_ID } from '../../../kernel/provider-id';
import { Email } from '../../../platform/email';
import { endpoint } from '../../../platform/endpoint';
import { PersonName } from '../../../platform/names';
import { IdParams, InstantOut, Locale, TimeZone, Uuid } from '../../../platform/schemas';
import { SignUpRole, User } from './account';
import { LoginChallenge, UserAndTokens } from './people';

/** Where every provider sends people back to; registered with it as `PUBLIC_URL` and this. No operation of the API: it sends on to the app. */
export const OIDC_CALLBACK_PAGE = '/api/auth/oidc/callback';

const ProviderParams = z.strictObject({ provider: z.string().regex(PROVIDER_ID) });

export const Provider = z
  .strictObject({ id: z.string(), name: z.string() })
  .meta({ id: 'Provider', description: 'Somebody at whose place people can sign in' });

const beginning = {
  redirectUri: z
    .string()
    .max(2_000)
    .meta({ description: 'Where the app is sent back to, exactly as it stands in OIDC_REDIRECT_URIS' }),
  verifierHash: z
    .string()
    .regex(/^[\w-]{43}$/, 'must be SHA-256 in base64url')
    .meta({
      description:
        'SHA-256, in base64url, of a secret that the app draws for this sign-in and keeps, as PKCE derives its challenge (RFC 7636 §4.2)',
    }),
};

export const StartSignInRequest = z
  .strictObject({
    ...beginning,
    role: SignUpRole.optional(),
    timeZone: TimeZone.optional(),
    locale: Locale.optional(),
  })
  .meta({ id: 'StartSignInRequest', description: '`role`, `timeZone` and `locale`: should it be the first sign-in' });
export type StartSignInRequest = z.output<typeof StartSignInRequest>;
export const StartLinkRequest = z.strictObject(beginning).meta({ id: 'StartLinkRequest' });

export const StartedSignIn = z
  .strictObject({
    authorizationUrl: z.string().meta({ description: 'Where the person is to be sent' }),
    transactionId: Uuid,
    expiresAt: InstantOut,
  })
  .meta({ id: 'StartedSignIn' });
export type StartedSignIn = z.output<typeof StartedSignIn>;

/** The secret of which the start had the hash (RFC 7636 §4.1). */
const Verifier = z.string().regex(/^[\w.~-]{43,128}$/, 'must be 43 to 128 characters of A-Z, a-z, 0-9, -, ., _ and ~');
export const FinishSignInRequest = z
  .strictObject({
    transactionId: Uuid,
    callbackUrl: z.string().max(8_000).meta({ description: 'The whole URL at which the app was called back' }),
    verifier: Verifier,
  })
  .meta({ id: 'FinishSignInRequest' });
export type FinishSignInRequest = z.output<typeof FinishSignInRequest>;

/** What a provider may not say of a person, and an account needs. */
export const MISSING_OF_SIGN_UP = ['role', 'email', 'firstName', 'lastName'] as const;
export const CompleteSignInRequest = z
  .strictObject({
    transactionId: Uuid,
    verifier: Verifier,
    role: SignUpRole.optional(),
    email: Email.optional(),
    firstName: PersonName.optional(),
    lastName: PersonName.optional(),
  })
  .meta({ id: 'CompleteSignInRequest' });
export type CompleteSignInRequest = z.output<typeof CompleteSignInRequest>;

const Needs = z
  .strictObject({ needs: z.array(z.enum(MISSING_OF_SIGN_UP)).min(1), transactionId: Uuid, expiresAt: InstantOut })
  .meta({ id: 'SignUpNeeds', description: 'What is to be said by `complete`' });

export const Identity = z
  .strictObject({
    id: Uuid,
    provider: z.string(),
    email: z.string().nullable().meta({ description: 'What the provider said last, to know the sign-in by' }),
    linkedAt: InstantOut,
    lastUsedAt: InstantOut.nullable(),
  })
  .meta({ id: 'Identity', description: 'A sign-in at a provider' });
export type Identity = z.output<typeof Identity>;

/** An account that is being set up, or the second factor that is still to be shown. */
const Waiting = z.union([z.object({ user: User }), z.object({ challenge: LoginChallenge })]);

/** How people sign in at a provider (OpenID Connect Core 1.0 §3.1), and at which they can. */
export const oidcOperations = {
  listProviders: endpoint({
    method: 'get',
    path: '/api/auth/providers',
    operationId: 'listProviders',
    summary: 'At whose place people can sign in',
    access: 'anonymous',
    replies: { 200: z.object({ items: z.array(Provider) }) },
  }),
  startSignIn: endpoint({
    method: 'post',
    path: '/api/auth/oidc/{provider}/start',
    operationId: 'startSignIn',
    summary: 'Begin a sign-in at a provider',
    description: 'It is to be finished within ten minutes, once, by whoever has the secret of `verifierHash`.',
    access: 'anonymous',
    idempotency: 'none',
    reaches: ['oidc'],
    params: ProviderParams,
    body: StartSignInRequest,
    replies: { 200: StartedSignIn },
  }),
  finishSignIn: endpoint({
    method: 'post',
    path: '/api/auth/oidc/{provider}/finish',
    operationId: 'finishSignIn',
    summary: 'Finish a sign-in at a provider',
    description:
      'A person is known by issuer and subject, whatever their address. Who is not known and has the proven address of an account is linked to ' +
      'it, where the provider says as well that the address is proven; an account whose address is not, or a provider that does not say so, ' +
      'answers 409 `link_required`: sign in to it, then link. Anybody else gets an account: 201, or 202 with `needs` where the provider does not ' +
      'say all that it takes, or with `user` while it is being set up. Who has a second factor is answered 202 with a `challenge`, as by login.',
    access: 'anonymous',
    idempotency: 'none',
    reaches: ['oidc'],
    params: ProviderParams,
    body: FinishSignInRequest,
    replies: { 200: UserAndTokens, 201: UserAndTokens, 202: z.union([Waiting, Needs]) },
    errors: ['invalid_token', 'link_required', 'account_suspended', 'invalid_credentials'],
  }),
  completeSignIn: endpoint({
    method: 'post',
    path: '/api/auth/oidc/{provider}/complete',
    operationId: 'completeSignIn',
    summary: 'Say what a first sign-in still needs',
    description:
      'Within half an hour. What the provider has said is not said again. An address that is typed is not proven.',
    access: 'anonymous',
    idempotency: 'none',
    params: ProviderParams,
    body: CompleteSignInRequest,
    replies: { 200: UserAndTokens, 201: UserAndTokens, 202: Waiting },
    errors: ['invalid_token', 'link_required', 'account_suspended', 'invalid_credentials'],
  }),
  listIdentities: endpoint({
    method: 'get',
    path: '/api/auth/identities',
    operationId: 'listIdentities',
    summary: 'The sign-ins at providers by which one is known',
    access: 'user',
    replies: { 200: z.object({ items: z.array(Identity) }) },
  }),
  startLink: endpoint({
    method: 'post',
    path: '/api/auth/identities/{provider}/start',
    operationId: 'startLink',
    summary: 'Begin to link a sign-in at a provider to one’s account',
    access: 'user',
    idempotency: 'none',
    reaches: ['oidc'],
    params: ProviderParams,
    body: StartLinkRequest,
    replies: { 200: StartedSignIn },
  }),
  finishLink: endpoint({
    method: 'post',
    path: '/api/auth/identities/{provider}/finish',
    operationId: 'finishLink',
    summary: 'Finish linking a sign-in at a provider',
    description:
      'Only by whoever began it. 409 `conflict` when it is somebody else’s, or there is one of this provider already. Where the provider says that ' +
      'the address of the account is proven, and it was not before, that is its first proof: the password from before and all other sessions are ' +
      'taken away, because whoever typed the address first may be somebody else.',
    access: 'user',
    idempotency: 'none',
    reaches: ['oidc'],
    params: ProviderParams,
    body: FinishSignInRequest,
    replies: { 200: Identity },
    errors: ['invalid_token', 'conflict'],
  }),
  unlink: endpoint({
    method: 'delete',
    path: '/api/auth/identities/{id}',
    operationId: 'unlinkIdentity',
    summary: 'Sign in at a provider no more',
    description: 'The other sessions that began there end. The last way to sign in stays: 409 `last_sign_in_method`.',
    access: 'user',
    idempotency: 'none',
    params: IdParams,
    replies: { 204: null },
    errors: ['last_sign_in_method'],
  }),
} as const;

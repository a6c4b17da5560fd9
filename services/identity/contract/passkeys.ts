import { z } from 'zod';
import { endpoint } from '../../../platform/endpoint';
import { IdParams, InstantOut, Uuid } from '../../../platform/schemas';

const Bytes = z.string().regex(/^[A-Za-z0-9_-]{1,65536}$/);
const credential = { id: Bytes, rawId: Bytes, type: z.literal('public-key') };

// What browsers say of a credential grows with them, so that members that are not needed are not looked at.

/** What `navigator.credentials.create` gave. */
export const CreatedCredential = z
  .object({
    ...credential,
    response: z.object({
      clientDataJSON: Bytes,
      attestationObject: Bytes,
      transports: z.array(z.string().max(32)).max(16).optional(),
    }),
  })
  .meta({ id: 'CreatedCredential', description: 'RegistrationResponseJSON of Web Authentication' });
export type CreatedCredential = z.output<typeof CreatedCredential>;

/** What `navigator.credentials.get` gave. */
export const AssertedCredential = z
  .object({
    ...credential,
    response: z.object({ clientDataJSON: Bytes, authenticatorData: Bytes, signature: Bytes }),
  })
  .meta({ id: 'AssertedCredential', description: 'AuthenticationResponseJSON of Web Authentication' });
export type AssertedCredential = z.output<typeof AssertedCredential>;

export const Passkey = z
  .object({ id: Uuid, createdAt: InstantOut, lastUsedAt: InstantOut.nullable() })
  .meta({ id: 'Passkey', description: 'A key of a device, which signs in place of a code' });
export type Passkey = z.output<typeof Passkey>;

/** Options as browsers take them from JSON; what there is in them is theirs. */
export const CredentialOptions = z.looseObject({ challenge: z.string() });

/** Passkeys of one's own, beside an authenticator app. */
export const passkeyOperations = {
  startPasskey: endpoint({
    method: 'post',
    path: '/api/auth/passkeys/start',
    operationId: 'startPasskey',
    summary: 'Begin to add a passkey',
    description:
      'For who has an authenticator app and has shown a second factor in this session. The reply is for `PublicKeyCredential.parseCreationOptionsFromJSON` ' +
      'of a browser, and counts for five minutes. A wrong password answers 422 at `password`. Ten passkeys are the most.',
    access: 'user',
    idempotency: 'none',
    body: z.strictObject({ password: z.string().min(1).max(1_024) }).meta({ id: 'StartPasskeyRequest' }),
    replies: { 201: z.object({ options: CredentialOptions }) },
    errors: ['invalid_state', 'conflict', 'second_factor_required'],
  }),
  addPasskey: endpoint({
    method: 'post',
    path: '/api/auth/passkeys',
    operationId: 'addPasskey',
    summary: 'Add the passkey that the browser has made',
    description: 'A credential that does not answer what was begun last answers 422 at `credential`.',
    access: 'user',
    idempotency: 'none',
    body: z.strictObject({ credential: CreatedCredential }).meta({ id: 'AddPasskeyRequest' }),
    replies: { 201: Passkey },
    errors: ['invalid_state', 'conflict', 'second_factor_required'],
  }),
  listPasskeys: endpoint({
    method: 'get',
    path: '/api/auth/passkeys',
    operationId: 'listPasskeys',
    summary: "One's own passkeys, the oldest first",
    access: 'user',
    replies: { 200: z.object({ items: z.array(Passkey) }) },
  }),
  removePasskey: endpoint({
    method: 'delete',
    path: '/api/auth/passkeys/{id}',
    operationId: 'removePasskey',
    summary: 'Remove a passkey',
    access: 'user',
    idempotency: 'none',
    params: IdParams,
    replies: { 204: null },
  }),
} as const;

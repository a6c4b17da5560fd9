import { z } from 'zod';
import { endpoint } from '../../../platform/endpoint';

/** A code of an authenticator, or a recovery code; spaces, dashes and the case of letters do not count. */
export const Code = z.string().min(1).max(64);
const Password = z.string().min(1).max(1_024);

const StartTotpRequest = z.strictObject({ password: Password }).meta({ id: 'StartTotpRequest' });
const ConfirmTotpRequest = z.strictObject({ code: Code }).meta({ id: 'ConfirmTotpRequest' });
const RemoveTotpRequest = z.strictObject({ password: Password, code: Code }).meta({ id: 'RemoveTotpRequest' });

const triesAndFields =
  'Five wrong codes may be tried in a quarter of an hour, at sign-ins and here together, and five passwords. A wrong password answers 422 at `password`, a wrong code 422 at `code`.';

/** A second factor of one's own. An administrator without one may do nothing but set it up. */
export const secondFactorOperations = {
  startTotp: endpoint({
    method: 'post',
    path: '/api/auth/totp',
    operationId: 'startTotp',
    summary: 'Set up an authenticator app as second factor (RFC 6238)',
    description:
      'It asks nothing of anybody before it is confirmed with its first code. Called again until then, it gives another secret. ' +
      'The app makes six digits every 30 seconds with SHA-1. A wrong password answers 422 at `password`.',
    access: 'user',
    withoutSecondFactor: true,
    idempotency: 'none',
    body: StartTotpRequest,
    replies: {
      201: z.object({
        secret: z.string().meta({ description: 'In Base32, for who cannot scan' }),
        otpauthUri: z.string().meta({ description: 'Show it as a QR code' }),
      }),
    },
    errors: ['invalid_state'],
  }),
  confirmTotp: endpoint({
    method: 'post',
    path: '/api/auth/totp/confirm',
    operationId: 'confirmTotp',
    summary: 'Confirm the authenticator app with its first code',
    description:
      'From then on a sign-in asks for a code. The other sessions of the account end; this one has shown the second factor, which its access ' +
      `tokens say from the next refresh on. The recovery codes are told this once; each opens one sign-in. ${triesAndFields}`,
    access: 'user',
    withoutSecondFactor: true,
    idempotency: 'none',
    body: ConfirmTotpRequest,
    replies: { 200: z.object({ recoveryCodes: z.array(z.string()) }) },
    errors: ['invalid_state'],
  }),
  removeTotp: endpoint({
    method: 'delete',
    path: '/api/auth/totp',
    operationId: 'removeTotp',
    summary: 'Give the second factor up, with its recovery codes and the passkeys',
    description: `The other sessions of the account end, and of an administrator this one too. ${triesAndFields}`,
    access: 'user',
    idempotency: 'none',
    body: RemoveTotpRequest,
    replies: { 204: null },
    errors: ['invalid_state'],
  }),
} as const;

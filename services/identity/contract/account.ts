import { z } from 'zod';
import { ActReason } from '../../../platform/audit';
import { Email } from '../../../platform/email';
import { PersonName } from '../../../platform/names';
import { HttpsUrl, Instant, InstantOut, Locale, lengthBetween, TimeZone, Uuid } from '../../../platform/schemas';

/** In characters. */
export const MIN_PASSWORD = 10;
/** In characters. */
export const MAX_PASSWORD = 128;

/**
 * Length counts characters (code points) after NFC, so that a password typed on another keyboard is the same password. It
 * is never trimmed.
 */
export const NewPassword = z
  .string()
  .overwrite((value) => value.normalize('NFC'))
  .refine((value) => value.isWellFormed(), 'must be well-formed Unicode')
  .refine(...lengthBetween(MIN_PASSWORD, MAX_PASSWORD))
  .meta({ minLength: MIN_PASSWORD, maxLength: MAX_PASSWORD });

/** What one may register as: nobody registers as an admin. */
export const SignUpRole = z.enum(['student', 'tutor']);
export const UserRole = z.enum(['student', 'tutor', 'admin']);
export type UserRole = z.output<typeof UserRole>;
export const UserStatus = z.enum(['pending', 'active', 'suspended']);

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

export const RegisterRequest = z
  .strictObject({
    email: Email,
    password: NewPassword,
    role: SignUpRole,
    firstName: PersonName,
    lastName: PersonName,
    // A default of its own would make it another component than the other services' of this name.
    timeZone: TimeZone.optional().transform((zone) => zone ?? 'UTC'),
    locale: Locale.default('en'),
  })
  .meta({ id: 'RegisterRequest' });
export type RegisterRequest = z.output<typeof RegisterRequest>;

export const UpdateUserRequest = z
  .strictObject({
    firstName: PersonName.optional(),
    lastName: PersonName.optional(),
    avatarUrl: z.union([HttpsUrl, z.null()]).optional(),
    timeZone: TimeZone.optional(),
    locale: Locale.optional(),
  })
  .refine((body) => Object.keys(body).length > 0, 'must name at least one field')
  .meta({ id: 'UpdateUserRequest', minProperties: 1 });
export type UpdateUserRequest = z.output<typeof UpdateUserRequest>;

/** Another role for a person, and why. */
export const ChangeRoleRequest = z
  .strictObject({ role: UserRole, reason: ActReason })
  .meta({ id: 'ChangeRoleRequest' });

/** Whom to keep out, until when, and why. */
export const SuspendRequest = z
  .strictObject({
    reason: ActReason,
    until: Instant.optional().meta({ description: 'Left out: until an administrator says otherwise' }),
  })
  .meta({ id: 'SuspendRequest' });
export const UnsuspendRequest = z.strictObject({ reason: ActReason }).meta({ id: 'UnsuspendRequest' });

export const Suspension = z
  .object({
    id: Uuid,
    userId: Uuid,
    until: InstantOut.nullable(),
    createdAt: InstantOut,
    endedAt: InstantOut.nullable(),
  })
  .meta({ id: 'Suspension' });
export type Suspension = z.output<typeof Suspension>;

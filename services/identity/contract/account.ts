import { z } from 'zod';
import { InstantOut, TimeZone, text, Uuid } from '../../../platform/schemas';
import { Email } from './email';

const MIN_PASSWORD = 10;
const MAX_PASSWORD = 128;

/**
 * Length counts characters (code points) after NFC, so that a password typed on another keyboard is the same password. It
 * is never trimmed.
 */
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

/** What one may register as: nobody registers as an admin. */
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

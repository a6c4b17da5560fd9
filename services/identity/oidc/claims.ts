import { z } from 'zod';
import { Email } from '../../../platform/email';
import { PersonName } from '../../../platform/names';
import type { Claims } from './rules';

// What is not as it should be counts as not said: a person can say it themself.
const Said = z.object({
  email: Email.nullish().catch(null),
  email_verified: z.unknown().optional(),
  given_name: PersonName.nullish().catch(null),
  family_name: PersonName.nullish().catch(null),
});

/**
 * What a provider has said in one of its answers (OpenID Connect Core 1.0 §5.1). `email_verified` counts as the boolean alone, and of an address
 * that can be used.
 */
export function claimsIn(answer: object): Pick<Claims, 'email' | 'emailVerified' | 'firstName' | 'lastName'> {
  const { email = null, email_verified, given_name = null, family_name = null } = Said.parse(answer);
  return {
    email,
    emailVerified: email !== null && email_verified === true,
    ...{ firstName: given_name, lastName: family_name },
  };
}

/** What two answers of a provider have said, the first before the second; of an address, each says itself whether it is proven. */
export function joined(
  first: ReturnType<typeof claimsIn>,
  second: ReturnType<typeof claimsIn>,
): ReturnType<typeof claimsIn> {
  const { email, emailVerified } = first.email === null ? second : first;
  return {
    email,
    emailVerified,
    ...{ firstName: first.firstName ?? second.firstName, lastName: first.lastName ?? second.lastName },
  };
}

import type { MISSING_OF_SIGN_UP } from '../contract';

/** What a provider has said of somebody, as far as it can be used. */
export interface Claims {
  issuer: string;
  subject: string;
  email: string | null;
  /** The provider says that the address is theirs, and says it as a boolean: a text `"false"` is true to a program that does not look. */
  emailVerified: boolean;
  firstName: string | null;
  lastName: string | null;
}

/** What a sign-in is checked by when it comes back: state against other transactions, nonce against other tokens, the verifier of PKCE against stolen codes. */
export interface Secrets {
  state: string;
  nonce: string;
  codeVerifier: string;
}

/** Whose the address is that a provider has said. */
export interface AddressOwner {
  status: 'pending' | 'active' | 'suspended';
  emailVerifiedAt: Date | null;
  /** Whether another sign-in at this provider is linked to their account. */
  isLinked: boolean;
}

/**
 * What becomes of somebody whose sign-in is not known. It is linked to the account of its address only where both have proven it: whoever typed an
 * address first need not own it, and a provider that does not check addresses would open every account. One account has one sign-in of a provider:
 * an address that was given to somebody else there opens nothing.
 */
export function decideUnknown(claims: Claims, owner: AddressOwner): 'link' | 'link_required' | 'sign_up' {
  // A sign-up that never came to anything is in nobody's way; any other account refuses the address by itself.
  if (owner.status !== 'active') return 'sign_up';
  return claims.emailVerified && owner.emailVerifiedAt && !owner.isLinked ? 'link' : 'link_required';
}

type Missing = (typeof MISSING_OF_SIGN_UP)[number];

/** What the person, or the app for them, has said of an account that is to be made. */
export interface Said {
  role?: 'student' | 'tutor' | undefined;
  email?: string | undefined;
  firstName?: string | undefined;
  lastName?: string | undefined;
}

/** All that is to be said of an account. */
export type Account = Required<{ [Name in Missing]: NonNullable<Said[Name]> }> & { isEmailProven: boolean };

/** The account of a first sign-in, or what it needs beyond what was said. What the provider says counts before what a person says. */
export function accountOf(claims: Claims, said: Said): Account | { needs: Missing[] } {
  const { role } = said;
  const email = claims.email ?? said.email;
  const firstName = claims.firstName ?? said.firstName;
  const lastName = claims.lastName ?? said.lastName;
  if (role && email && firstName && lastName)
    return { role, email, firstName, lastName, isEmailProven: claims.emailVerified };
  const has = { role, email, firstName, lastName };
  const names: Missing[] = ['role', 'email', 'firstName', 'lastName'];
  return { needs: names.filter((name) => !has[name]) };
}

/** A person by their ways to sign in. */
export interface Ways {
  hasPassword: boolean;
  /** How many sign-ins at providers. */
  identities: number;
}

/** Whether a sign-in at a provider can be given up. */
export function canUnlink({ hasPassword, identities }: Ways): boolean {
  return hasPassword || identities > 1;
}

/** An id token is of use for so long after it was made, whatever it says itself: it is asked for by whoever waits for it. */
export const ID_TOKEN_SECONDS = 300;
/** A sign-in is finished within so long of its start. */
export const TRANSACTION_MINUTES = 10;
/** What is missing is said within so long. */
export const COMPLETE_MINUTES = 30;

import { ProblemError } from '../../kernel/errors';
import { DAY, MINUTE, SECOND } from '../../kernel/time';
import type { SecondFactor, UserRole } from './contract';

/** Lifetime of an access token: what other services go on trusting after a logout. */
export const ACCESS_TOKEN_MS = 15 * MINUTE;
/** A session that is not used for this long ends. */
export const SESSION_IDLE_DAYS = 30;
/** However much it is used, a session ends after this long. */
const SESSION_MAX_DAYS = 90;
/** Ways to sign in that were added so shortly before a change of address that is taken back are taken for those of whoever made it. */
export const SUSPECT_DAYS = 7;
/** Two tabs of one client may use a token so shortly after each other without being taken for thieves. */
export const REUSE_GRACE_MS = 10 * SECOND;
/** A client that lost the reply of a refresh may repeat it for so long: it may have been started anew meanwhile. */
export const REPEAT_SECONDS = 30;
export const EMAIL_TOKEN_HOURS = 24;
/** A link by which a password is set is of use for so long: time enough to find the mail, and little for whoever finds it later. */
export const RESET_TOKEN_MINUTES = 30;
/** Who has given their password has so long to show their second factor: time enough to find the telephone. */
export const CHALLENGE_MINUTES = 5;
/** A person has so many devices at most. */
export const MOST_PASSKEYS = 10;
/** Each is good for one sign-in without an authenticator. */
export const RECOVERY_CODES = 10;
/** A mail that was asked for and could not be sent is of use for so long: by then its person has asked again. */
export const MAIL_WANTED_MINUTES = 30;
/** Longer than the call that starts the saga of a mail may take: until then the sweep leaves the request alone. */
export const MAIL_LEASE_SECONDS = 20;
/** Longer than the call that starts the saga of a tutor's account may take: until then the sweep leaves the request alone. */
export const TUTOR_ACCOUNT_LEASE_SECONDS = 20;
/** As long: until then the sweep leaves a suspension alone. */
export const SUSPENSION_LEASE_SECONDS = 20;
/** Longer than the call that starts a saga may take: until then a registration cannot be taken over. */
export const SIGN_UP_LEASE_SECONDS = 10;

/** A link that confirms a change of address is of use for so long. */
export const EMAIL_CHANGE_HOURS = 24;
/** A change of address can be taken back for so long: whose mailbox was not looked into for a weekend, or a week away. */
export const EMAIL_REVERT_DAYS = 7;
/** Longer than the calls may take by which a saga is started or told of news: until then the sweep leaves a change alone. */
export const EMAIL_CHANGE_LEASE_SECONDS = 20;

/** So long after a login from it a person's address is known for theirs. */
export const KNOWN_ADDRESS_DAYS = 90;

/** When a session that is opened now ends at the latest. */
export function sessionExpiry(now: Date): Date {
  return new Date(now.getTime() + SESSION_MAX_DAYS * DAY);
}

/** When a refresh token that is issued now expires: with the session's idle time, and never after the session. */
export function refreshTokenExpiry(now: Date, sessionExpiresAt: Date): Date {
  return new Date(Math.min(now.getTime() + SESSION_IDLE_DAYS * DAY, sessionExpiresAt.getTime()));
}

/**
 * What is to be done for another role: nothing, to set it, or first to open what a tutor has in other contexts. Who has that does not become a
 * student, who could reach neither their earnings nor their bookings. An administrator who has not becomes a student first, so that nothing
 * has to be decided again when all is opened.
 * @throws ProblemError invalid_state
 */
export function decideRole(from: UserRole, to: UserRole, hasTutorAccount: boolean): 'keep' | 'set' | 'open' {
  if (from === to) return 'keep';
  if (to === 'student' && hasTutorAccount)
    throw new ProblemError('invalid_state', 'Who has earnings and bookings as a tutor does not become a student');
  if (to !== 'tutor' || hasTutorAccount) return 'set';
  if (from === 'admin')
    throw new ProblemError('invalid_state', 'An administrator who was no tutor becomes a student first');
  return 'open';
}

/** A refresh token and its session, as found. */
export interface PresentedToken {
  usedAt: Date | null;
  tokenExpiresAt: Date;
  sessionExpiresAt: Date;
  sessionEndedAt: Date | null;
  /** What its client called the exchange that it was used for, if anything. */
  refreshId: string | null;
  /** When the token was used that it was exchanged for. */
  successorUsedAt: Date | null;
}

/** `repeat`: the client gets the successor that it was given before. */
export type RefreshDecision = 'rotate' | 'repeat' | 'refuse' | 'end_session';

/**
 * What becomes of a presented refresh token, with the id that its client gives the exchange. One that was used before and comes back with the id
 * of that time is a repeat. Otherwise it is only refused within the grace period; later it means that two parties hold it, so the session ends (OAuth
 * 2.0 Security BCP, RFC 9700 §4.14.2). Once its successor was used, whose client has it, that is certain at once.
 */
export function decideRefresh(token: PresentedToken, refreshId: string | undefined, now: Date): RefreshDecision {
  if (token.sessionEndedAt || token.sessionExpiresAt <= now) return 'refuse';
  if (!token.usedAt) return token.tokenExpiresAt <= now ? 'refuse' : 'rotate';
  if (token.successorUsedAt) return 'end_session';
  const passed = now.getTime() - token.usedAt.getTime();
  if (refreshId !== undefined && refreshId === token.refreshId && passed < REPEAT_SECONDS * SECOND) return 'repeat';
  return passed < REUSE_GRACE_MS ? 'refuse' : 'end_session';
}

/** How a session says that it began at a provider. */
export function methodAt(provider: string): string {
  return `oidc:${provider}`;
}

/**
 * How a person showed who they are, in the words of RFC 8176: `mfa` after a second factor, whichever it was. Empty where there is no word that would
 * be true.
 */
export function authenticationMethods(method: string, secondFactor: SecondFactor | null): string[] {
  const first = method === 'password' ? ['pwd'] : [];
  if (secondFactor === null) return first;
  return [...first, ...(secondFactor === 'totp' ? ['otp'] : []), 'mfa'];
}

/** What somebody typed as their second factor, without what only keeps letters apart. */
export function typedCode(text: string): { factor: 'totp' | 'recovery_code'; code: string } {
  const code = text.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
  return { factor: /^\d{6}$/.test(code) ? 'totp' : 'recovery_code', code };
}

/** A token that proves an e-mail address, as stored. */
export interface StoredVerification {
  usedAt: Date | null;
  replacedAt: Date | null;
  expiresAt: Date;
}

/** Whether a verification token still counts. */
export function provesEmail(token: StoredVerification, now: Date): boolean {
  return !token.usedAt && !token.replacedAt && token.expiresAt > now;
}

/** A token that sets a new password, as stored. */
export interface StoredReset extends StoredVerification {
  /** Where it was sent. */
  email: string;
}

/** Whether a token still sets the password of the user whose address is `email` now. */
export function setsPassword(token: StoredReset, email: string, now: Date): boolean {
  return provesEmail(token, now) && token.email === email;
}

/**
 * Looks for words that begin so, as a query of Postgres's text search: each word of the question has to begin one of a name, or all of it the address.
 * `names` is undefined where the question has no word.
 */
export function userSearch(question: string): { names: string | undefined; account: string } {
  const beginning = (word: string) => `'${word.replaceAll('\\', '\\\\').replaceAll("'", "''")}':*`;
  // What stands between the words of a name, as the index has it (`namedWords`).
  const words = question.split(/[\s.'’-]+/).filter((word) => word !== '');
  const names = words.length > 0 ? words.map(beginning).join(' & ') : undefined;
  return { names, account: [beginning(question), ...(names === undefined ? [] : [`(${names})`])].join(' | ') };
}

/** How others see a person. */
export function displayName(person: { firstName: string; lastName: string }): string {
  return `${person.firstName} ${person.lastName}`;
}

/** A User-Agent header fit to be stored and shown: printable, at most 200 characters; null without one. */
export function deviceLabel(userAgent: string | undefined): string | null {
  const printable = (userAgent ?? '').replaceAll(/[^\x20-\x7e]/g, '').trim();
  return printable.slice(0, 200) || null;
}

/**
 * What a limit per address counts under. IPv6 counts per /64, which is what one customer is given (RFC 6177), so that
 * nobody gets 2^64 tries.
 */
export function addressBucket(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped?.[1]) return mapped[1];
  if (!address.includes(':')) return address;
  const written = address.replace(/%.*$/, '').toLowerCase();
  const left = 8 - written.split(':').filter(Boolean).length;
  const groups = written
    .replace('::', `:${'0:'.repeat(Math.max(0, left))}`)
    .split(':')
    .filter(Boolean);
  const network = groups.slice(0, 4).map((group) => group.replace(/^0+(?=.)/, ''));
  return `${network.join(':')}::/64`;
}

/** One limit after this request was counted. */
export interface LimitState {
  /** Name of the policy, as in the headers. */
  policy: string;
  quota: number;
  windowSeconds: number;
  remaining: number;
  resetSeconds: number;
}

/** The limit that is nearest to refusing: the first of those with the least left. */
export function tightest(limits: readonly LimitState[]): LimitState | undefined {
  return limits.reduce<LimitState | undefined>(
    (least, limit) => (least && least.remaining <= limit.remaining ? least : limit),
    undefined,
  );
}

/** RateLimit-Policy and RateLimit as structured fields (draft-ietf-httpapi-ratelimit-headers); none when nothing is limited. */
export function rateLimitHeaders(limit: LimitState | undefined): Record<string, string> {
  if (!limit) return {};
  return {
    'RateLimit-Policy': `"${limit.policy}";q=${limit.quota};w=${limit.windowSeconds}`,
    RateLimit: `"${limit.policy}";r=${limit.remaining};t=${limit.resetSeconds}`,
  };
}

import { z } from 'zod';
import { At, Code, event, Id, ParticipantIds } from '../../platform/event-schema';

// What identity tells others.

const ofUser = { userId: Id, participantIds: ParticipantIds.describe('The user') };
const Role = z.enum(['student', 'tutor', 'admin']);
const ofIdentity = {
  ...ofUser,
  identityId: Id,
  provider: Code.describe('What the settings call the provider'),
};

export const identityEvents = {
  UserRegistered: event('A person has an account and can sign in. Nobody hears of a sign-up that was undone.', {
    ...ofUser,
    role: Role,
  }),
  UserProfileUpdated: event('A person has changed their profile. `identity.people` has what it says now.', ofUser),
  UserEmailVerified: event('A person has shown that their e-mail address is theirs.', ofUser),
  UserPasswordChanged: event(
    'A person has another password, by the link of a mail or by the one before. Their other sessions have ended.',
    { ...ofUser, by: z.enum(['reset', 'change']) },
  ),
  UserSecondFactorAdded: event(
    'A person shows a second factor from now on when they sign in. Their other sessions have ended.',
    ofUser,
  ),
  UserPasskeyAdded: event('A person has one more passkey, which signs in place of a code.', ofUser),
  UserPasskeyRemoved: event('A person has removed a passkey.', ofUser),
  UserSecondFactorRemoved: event(
    'A person signs in without a second factor again. Their passkeys are gone too.',
    ofUser,
  ),
  UserEmailChanged: event(
    'A person has another e-mail address, which they have shown to be theirs: a new one, or the one before again. Other sessions have ended.',
    { ...ofUser, by: z.enum(['change', 'revert']) },
  ),
  UserRoleChanged: event(
    'A person has another role. Their sessions have ended, but of a student who became a tutor, whose next refresh has it.',
    {
      ...ofUser,
      from: Role,
      to: Role,
    },
  ),
  UserSuspended: event('A person is kept out: their sessions have ended, and none is opened.', {
    ...ofUser,
    suspensionId: Id,
    until: At.nullable().describe('null: until an administrator says otherwise'),
  }),
  UserReinstated: event('A person who was kept out can sign in again.', { ...ofUser, suspensionId: Id }),
  IdentityLinked: event('A person can sign in at a provider.', ofIdentity),
  IdentityUnlinked: event(
    'A person cannot sign in at a provider any more. The sessions that began there have ended.',
    ofIdentity,
  ),
  UserLoggedIn: event('A session was opened.', {
    ...ofUser,
    sessionId: Id,
    by: z.enum(['registration', 'password', 'provider']).describe('By what the person showed who they are'),
  }),
  UserLoggedOut: event(
    'A session has ended. `token_reuse`: somebody used a token again that was spent; `address_proven`: it was from before the address was.',
    {
      ...ofUser,
      sessionId: Id,
      reason: z.enum([
        ...(['logout', 'revoked', 'token_reuse', 'password_reset', 'password_changed'] as const),
        ...(['address_proven', 'email_changed', 'email_reverted', 'role_changed', 'suspended'] as const),
      ]),
    },
  ),
};

/**
 * What others may keep of a person, under their user id: names and all that changes with a person stand here and in no event, so that they
 * are gone everywhere once the key is.
 */
export const identityPeople = z
  .strictObject({
    displayName: z.string(),
    avatarUrl: z.string().nullable(),
    role: Role,
    timeZone: z.string().describe('A name of the IANA time zone database'),
    locale: z.string().describe('A BCP 47 language tag'),
    status: z.enum(['pending', 'active', 'suspended']),
  })
  .describe('A person as they are now.');

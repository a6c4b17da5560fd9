import { createIdentityClient } from '../services/identity/client';
import { type AccountMail, RESET_PAGE, VERIFICATION_PAGE } from '../services/identity/contract';
import type { Clients } from './clients';
import { createNotices } from './notices';
import type { Step } from './step';

export type AccountMailActivities = ReturnType<typeof createAccountMailActivities>;

/** The steps of a mail with a link. Whom it concerns and what the link holds passes through here, and through nothing that a history keeps. */
export function createAccountMailActivities(clients: Clients) {
  const { clientOf, publicUrl } = clients;
  const identity = clientOf('identity', createIdentityClient);
  const notices = createNotices(clients);

  return {
    /** What the mail is for; null where nothing is to be sent. */
    beginAccountMail: ({ requestId, key }: Step<{ requestId: string }>): Promise<AccountMail> =>
      identity.beginAccountMail(requestId, key),

    /**
     * One mail per `key`, which notification delivers while its link is good. Repeated, it holds the same link, because identity derives the token
     * from the key. Nothing is sent where identity has no link any more.
     */
    async sendAccountMail({ requestId, key }: Step<{ requestId: string }>): Promise<{ sent: boolean }> {
      const { link } = await identity.issueLink(requestId, `${key}/link`);
      if (!link) return { sent: false };
      const { purpose, token, expiresAt, userId, providers } = link;
      const about = { recipientId: userId, usefulUntil: expiresAt };
      const urlOf = (page: string) => `${publicUrl}${page}?token=${token}`;
      await notices.record(
        purpose === 'password_reset'
          ? { template: 'password_reset', ...about, data: { resetUrl: urlOf(RESET_PAGE), providers } }
          : { template: 'verify_email', ...about, data: { verifyUrl: urlOf(VERIFICATION_PAGE) } },
        key,
      );
      return { sent: true };
    },
  };
}

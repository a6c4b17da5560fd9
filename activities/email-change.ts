import { FORGOT_PAGE } from '../kernel/pages';
import { createIdentityClient } from '../services/identity/client';
import { createEmailChangeClient } from '../services/identity/email-change/client';
import {
  CONFIRM_PAGE,
  type EmailChange,
  type EmailChangeStatus,
  REVERT_PAGE,
} from '../services/identity/email-change/contract';
import { createAddressChangeClient } from '../services/notification/address-changes/client';
import { createNotificationClient } from '../services/notification/client';
import type { Clients } from './clients';
import { createNotices } from './notices';
import type { Step, Undo } from './step';

/** How a change stands. */
export type Standing = EmailChangeStatus;

interface OfRequest {
  requestId: string;
}

export type EmailChangeActivities = ReturnType<typeof createEmailChangeActivities>;

/** The steps of a change of address, each beside its undo. Addresses and links pass through here, and through nothing that a history keeps. */
export function createEmailChangeActivities(clients: Clients) {
  const { clientOf, publicUrl } = clients;
  const identity = clientOf('identity', createIdentityClient);
  const changes = clientOf('identity', createEmailChangeClient);
  const notification = clientOf('notification', createNotificationClient);
  const addresses = clientOf('notification', createAddressChangeClient);
  const notices = createNotices(clients);
  /** Has notification know of a person what identity says. */
  const bring = async (userId: string) => void (await notification.bringContacts([await identity.getContact(userId)]));

  return {
    /** How the change stands, and until when it stays so by itself. */
    lookAtEmailChange: ({ requestId }: OfRequest): Promise<EmailChange> => changes.look(requestId),

    /** Has notification keep the new address, of whoever it knows by then. */
    async proposeAddress({ requestId, key }: Step<OfRequest>): Promise<void> {
      const { userId, from, to } = await changes.addressesOf(requestId);
      await bring(userId);
      await addresses.propose(requestId, { userId, emailBefore: from, email: to }, key);
    },

    async dropAddress({ requestId, key }: Undo<OfRequest>): Promise<void> {
      await addresses.drop(requestId, key);
    },

    /** A link to the new address, and a warning to the one that the account has; nothing once there is nothing to confirm. The key is that of the link. */
    async askToConfirm({ requestId, key }: Step<OfRequest>): Promise<void> {
      const { link } = await changes.issueConfirmLink(requestId, key);
      if (!link) return;
      const about = { recipientId: link.userId, usefulUntil: link.expiresAt };
      const confirmUrl = `${publicUrl}${CONFIRM_PAGE}?token=${link.token}`;
      const forgotUrl = `${publicUrl}${FORGOT_PAGE}`;
      await notices.record(
        { template: 'email_change_asked', ...about, data: { changeId: requestId, forgotUrl } },
        `${key}/present`,
      );
      await notices.record(
        { template: 'email_change_confirm', ...about, data: { changeId: requestId, confirmUrl } },
        `${key}/proposed`,
      );
    },

    async withdrawEmailChange({ requestId, key }: Undo<OfRequest>): Promise<void> {
      await changes.withdraw(requestId, key);
    },

    async switchAddress({ requestId, key }: Step<OfRequest>): Promise<void> {
      await addresses.switch(requestId, key);
    },

    async switchAddressBack({ requestId, key }: Undo<OfRequest>): Promise<void> {
      await addresses.switchBack(requestId, key);
    },

    /** The pivot. @returns how the change stands then */
    async makeEmailChange({ requestId, key }: Step<OfRequest>): Promise<{ status: Standing }> {
      const { status } = await changes.make(requestId, key);
      return { status };
    },

    /** Tells the new address that it is the account's, and that of before how the change is taken back, if it can be. The key is that of the link. */
    async tellOfEmailChange({ requestId, key }: Step<OfRequest>): Promise<void> {
      const { link } = await changes.issueRevertLink(requestId, key);
      const { userId } = await changes.addressesOf(requestId);
      if (link) {
        const revertUrl = `${publicUrl}${REVERT_PAGE}?token=${link.token}`;
        const about = { recipientId: userId, usefulUntil: link.expiresAt };
        await notices.record(
          { template: 'email_changed_revert', ...about, data: { changeId: requestId, revertUrl } },
          `${key}/before`,
        );
      }
      await notices.record(
        {
          template: 'email_changed',
          ...{ recipientId: userId, usefulUntil: null },
          data: { changeId: requestId, pageUrl: `${publicUrl}/account` },
        },
        `${key}/present`,
      );
    },

    /** Tells whose change was not made that somebody else has the address. */
    async tellEmailTaken({ requestId, key }: Step<OfRequest>): Promise<void> {
      const { userId: recipientId } = await changes.addressesOf(requestId);
      await notices.record(
        { template: 'email_change_taken', recipientId, usefulUntil: null, data: { pageUrl: `${publicUrl}/account` } },
        key,
      );
    },

    /** Has notification reach the person by the address of before again. */
    async restoreAddress({ requestId, key }: Step<OfRequest>): Promise<void> {
      const { userId, from: email } = await changes.addressesOf(requestId);
      await addresses.restore(requestId, { userId, email }, key);
    },

    /** Gives the account its address of before again. @returns how the change stands then */
    async takeEmailChangeBack({ requestId, key }: Step<OfRequest>): Promise<{ status: Standing }> {
      const { status } = await changes.takeBack(requestId, key);
      return { status };
    },

    /** Has notification go by what identity says again, and keep nothing more of the change. */
    async forgetAddress({ requestId, key }: Step<OfRequest>): Promise<void> {
      const { userId } = await changes.addressesOf(requestId);
      await bring(userId);
      await addresses.forget(requestId, userId, key);
    },
  };
}

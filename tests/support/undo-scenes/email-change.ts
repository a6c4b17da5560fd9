import { uuidv7 } from '../../../platform/ids';
import { operations as identity } from '../../../services/identity/email-change/contract';
import { notificationContract as notification } from '../../../services/notification/contract';
import { keepContacts } from '../../../services/notification/store/contacts';
import { askedChange } from '../email-changes';
import { contactOf, somebody } from '../notifications';
import type { TestService } from '../service';
import { call, type Pair, succeed } from '../undo';

export const PAIRS: Record<string, Pair> = {
  'change of address: proposed address': {
    step: notification.proposeAddress,
    undo: notification.dropAddress,
    async prepare({ notification: service }) {
      const { requestId, proposal } = await proposed(service);
      const params = { requestId };
      return {
        ...{ service, key: `email-change:${requestId}/propose` },
        ...{ does: { params, body: proposal }, undoes: { params } },
        left: async () => [
          ...(await service.database.sql`select request_id from address_changes where request_id = ${requestId}`),
        ],
      };
    },
  },
  'change of address: link that confirms it': {
    step: identity.issueConfirmLink,
    undo: identity.withdrawEmailChange,
    async prepare({ identity: service }) {
      const { db, sql } = service.database;
      const { requestId: id } = await askedChange(db);
      return {
        ...{ service, key: `email-change:${id}/ask`, does: { params: { id } }, undoes: { params: { id } } },
        left: async () => [
          ...(await sql`select id from email_changes where id = ${id} and status in ('asked', 'confirmed')`),
        ],
      };
    },
  },
  'change of address: switched address': {
    step: notification.switchAddress,
    undo: notification.switchAddressBack,
    async prepare({ notification: service }) {
      const { requestId, proposal } = await proposed(service);
      const params = { requestId };
      const asked = { params, body: proposal };
      await succeed(call(service, notification.proposeAddress, asked, `email-change:${requestId}/propose`));
      const { userId, emailBefore } = proposal;
      return {
        ...{ service, key: `email-change:${requestId}/switch`, does: { params }, undoes: { params } },
        left: async () => [
          ...(await service.database.sql`
            select user_id from contacts where user_id = ${userId} and (email <> ${emailBefore} or changed_by is not null)`),
        ],
      };
    },
  },
};

export const FORWARD_ONLY: Record<string, string> = {
  internalMakeEmailChange: 'the pivot of a change of address',
  internalIssueRevertLink: 'a token that ends by itself',
  internalTakeEmailChangeBack: 'its person takes the change back, for good',
  restoreAddress: 'the same',
  forgetAddress: 'what is settled is kept no longer',
};

async function proposed({ database: { db } }: TestService) {
  const contact = contactOf();
  await keepContacts(db, [contact]);
  const { userId, email: emailBefore } = contact;
  return { requestId: uuidv7(), proposal: { userId, emailBefore, email: somebody() } };
}

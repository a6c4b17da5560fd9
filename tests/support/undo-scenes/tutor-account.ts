import { uuidv7 } from '../../../platform/ids';
import { identityContract as identity } from '../../../services/identity/contract';
import { requestTutorAccount } from '../../../services/identity/store/tutor-accounts';
import { paymentContract as payment } from '../../../services/payment/contract';
import type { Pair } from '../undo';
import { activeUser, uniqueEmail } from '../users';

export const PAIRS: Record<string, Pair> = {
  'becoming a tutor: request': {
    step: identity.beginTutorAccount,
    undo: identity.refuseTutorAccount,
    async prepare({ identity: service }) {
      const { db, sql } = service.database;
      const userId = await activeUser(db);
      const id = await db.transaction((tx) => requestTutorAccount(tx, userId));
      const left = () => sql`select id from tutor_accounts where id = ${id} and status <> 'refused'`;
      const params = { id };
      return { service, key: `tutor-account:${id}/begin`, does: { params }, undoes: { params }, left };
    },
  },
  'becoming a tutor: account beside the customer': {
    step: payment.createAccount,
    undo: payment.removeAccount,
    async prepare({ payment: service, atStripe }) {
      const [userId, accountId] = [uuidv7(), uuidv7()];
      return {
        service,
        key: `tutor-account:${accountId}/account`,
        does: { body: { userId, accountId, role: 'tutor', email: uniqueEmail(), name: 'Ada' } },
        undoes: { params: { userId: accountId } },
        async left() {
          const rows = service.database.sql`select stripe_id from stripe_accounts
            where owner_id = ${userId} and stripe_id is not null`;
          const made = (await atStripe()).accounts.filter(({ metadata }) => metadata.userId === userId);
          return [...made, ...(await rows)];
        },
      };
    },
  },
};

export const FORWARD_ONLY: Record<string, string> = {
  internalBecomeTutor: 'the pivot of becoming a tutor',
};

import { ProblemError } from '../kernel/errors';
import { createIdentityClient } from '../services/identity/client';
import { createNotificationClient } from '../services/notification/client';
import type { RecordedNotification, RecordNotification } from '../services/notification/contract';
import type { Clients } from './clients';

/** Has people told things. */
export function createNotices({ clientOf }: Clients) {
  const identity = clientOf('identity', createIdentityClient);
  const notification = clientOf('notification', createNotificationClient);

  return {
    /**
     * Has `message` told once per `businessKey`, as notification's client does. Of whom notification does not know yet where they are reached, it
     * is told first: who signed up by a worker of before is known nowhere else until the next night.
     */
    async record(message: RecordNotification, businessKey: string): Promise<RecordedNotification> {
      try {
        return await notification.record(message, businessKey);
      } catch (error) {
        if (!(error instanceof ProblemError && error.code === 'contact_unknown')) throw error;
        await notification.bringContacts([await identity.getContact(message.recipientId)]);
        return notification.record(message, businessKey);
      }
    },
  };
}

import type { ServiceClient } from '../../platform/http-client';
import {
  type NotificationPreferences,
  notificationContract,
  type SendNotification,
  type SentNotification,
} from './contract';

/** Longer than the mail server's own time-outs together, so that a slow server is answered for by the service. */
const SEND_TIMEOUT_MS = 25_000;

/** Typed calls of the notification service's internal operations, for activities. */
export function createNotificationClient(http: ServiceClient) {
  return {
    /**
     * Sends `message` once per `businessKey` (`booking:<id>/confirmed/student`), for ever.
     * @throws ProblemError upstream_unavailable, idempotency_in_progress: call again under the same key
     */
    send(businessKey: string, message: SendNotification): Promise<SentNotification> {
      return http.call(notificationContract.sendNotification, {
        idempotencyKey: businessKey,
        body: message,
        timeoutMs: SEND_TIMEOUT_MS,
      });
    },

    /** Gives a new user default preferences. `key` is `<workflowId>/<step>`. @throws ProblemError undone */
    createPreferences(key: string, userId: string): Promise<NotificationPreferences> {
      return http.call(notificationContract.createPreferences, { idempotencyKey: key, params: { userId } });
    },

    /** Undo of createPreferences. `key` is `<workflowId>/<step>/undo`. */
    removePreferences(key: string, userId: string): Promise<undefined> {
      return http.call(notificationContract.removePreferences, { idempotencyKey: key, params: { userId } });
    },
  };
}

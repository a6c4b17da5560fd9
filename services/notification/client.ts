import type { ServiceClient } from '../../platform/http-client';
import {
  notificationContract as contract,
  type NotificationPreferences,
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
    send(message: SendNotification, businessKey: string): Promise<SentNotification> {
      return http.call(contract.sendNotification, {
        idempotencyKey: businessKey,
        body: message,
        timeoutMs: SEND_TIMEOUT_MS,
      });
    },

    /** Gives a new user default preferences. `key` is `<workflowId>/<step>`. @throws ProblemError undone */
    createPreferences(userId: string, key: string): Promise<NotificationPreferences> {
      return http.call(contract.createPreferences, { idempotencyKey: key, params: { userId } });
    },

    /** Undo of createPreferences. `key` is `<workflowId>/<step>/undo`. */
    removePreferences(userId: string, key: string): Promise<undefined> {
      return http.call(contract.removePreferences, { idempotencyKey: key, params: { userId } });
    },
  };
}

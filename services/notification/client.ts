import type { UndoKey } from '../../kernel/step-key';
import type { ServiceClient } from '../../platform/http-client';
import {
  type Contact,
  notificationContract as contract,
  type NotificationPreferences,
  type RecordedNotification,
  type RecordNotification,
} from './contract';

/** One row is written, which takes milliseconds: a service that does not answer for so long hangs, and another attempt is due. */
const RECORD_TIMEOUT_MS = 2_500;

/** Typed calls of the notification service's internal operations, for activities. */
export function createNotificationClient(http: ServiceClient) {
  return {
    /**
     * Has `message` told once per `businessKey` (`booking:<id>/confirmed/student`), for ever. What became of its mail is not
     * waited for. Safe to repeat. @throws ProblemError contact_unknown until somebody has said where its recipient is reached
     */
    record(message: RecordNotification, businessKey: string): Promise<RecordedNotification> {
      return http.call(contract.recordNotification, {
        idempotencyKey: businessKey,
        body: message,
        timeoutMs: RECORD_TIMEOUT_MS,
      });
    },

    /** What was told of a booking, oldest first. */
    noticesOfBooking: (bookingId: string) => http.call(contract.noticesOfBooking, { params: { bookingId } }),

    /** Says where people are reached. Safe to repeat: nothing older takes the place of what is known. @returns how many were new or other */
    bringContacts: (items: Contact[]) => http.call(contract.bringContacts, { body: { items } }),

    /** Gives a new user default preferences and their contact. `key` is `<workflowId>/<step>`. @throws ProblemError undone */
    createPreferences(contact: Contact, key: string): Promise<NotificationPreferences> {
      const { userId } = contact;
      return http.call(contract.createPreferences, { idempotencyKey: key, params: { userId }, body: { contact } });
    },

    /** Undo of createPreferences. `key` is `<workflowId>/<step>/undo`. */
    removePreferences(userId: string, key: UndoKey): Promise<undefined> {
      return http.call(contract.removePreferences, { idempotencyKey: key, params: { userId } });
    },
  };
}

import { ProblemError } from '../../kernel/errors';
import { type Recipient, type RecordNotification, recipientSaid, withoutSaid } from './contract';
import type { FactsSealer } from './sealed-facts';
import type { Announcement } from './store/saga-steps';
import { render } from './templates';

/** What an announcement is made with. */
export interface Announcing {
  sealer: FactsSealer;
  /** Begins the pages that its button leads to. */
  publicUrl: string;
}

/**
 * A message as it is recorded, in the words for whom it goes to. `contact`: where its recipient is reached, undefined while nobody has said so.
 * @throws ProblemError contact_unknown unless a caller of before says it
 */
export function announcementOf(
  contact: Recipient | undefined,
  { sealer, publicUrl }: Announcing,
  businessKey: string,
  message: RecordNotification,
): Announcement {
  const recipient = contact ?? recipientSaid(message);
  if (!recipient) throw new ProblemError('contact_unknown');
  const { title, message: sentence } = render(message, recipient, publicUrl);
  const { recipientId, template, usefulUntil, data } = message;
  return {
    ...{ businessKey, recipientId, template, title, message: sentence },
    bookingId: 'bookingId' in data ? data.bookingId : null,
    paymentId: 'paymentId' in data ? data.paymentId : null,
    usefulUntil: usefulUntil === null ? null : new Date(usefulUntil),
    facts: sealer.seal(businessKey, contact ? withoutSaid(message) : message),
  };
}

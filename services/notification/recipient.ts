import { readAddressChange } from './address-changes/store';
import type { Recipient, RecordNotification } from './contract';
import { ADDRESSED_BY_CHANGE } from './rules';
import { readContact } from './store/contacts';

/** What is read by: a database, or a transaction. */
type Reading = Parameters<typeof readContact>[0];

/**
 * Where the recipient of a message is reached now; undefined while nobody has said so. Some messages about a change of address go to one of its two
 * addresses, whichever of them is the person's by then: `withdrawn` once that is settled or was given up, when it may be nobody's of theirs.
 */
export async function recipientOf(
  db: Reading,
  message: RecordNotification,
): Promise<Recipient | 'withdrawn' | undefined> {
  const contact = await readContact(db, message.recipientId);
  const { template, data } = message;
  const wanted = ADDRESSED_BY_CHANGE[template];
  if (!wanted || !('changeId' in data)) return contact;
  const change = await readAddressChange(db, data.changeId);
  if (change?.userId !== message.recipientId) return 'withdrawn';
  // Nothing that a person typed is quoted there: a proposed address may be anybody's.
  return contact && { ...contact, email: change[wanted], emailVerified: false };
}

import type { Transaction } from '../../../db/client';
import { FORGOT_PAGE } from '../../../kernel/pages';
import type { Config } from '../../../platform/config';
import { announcementOf } from '../announcement';
import type { RecordNotification } from '../contract';
import { createFactsSealer } from '../sealed-facts';
import { readContact } from './contacts';
import { recordNotification } from './saga-steps';

/**
 * Records that a person is told of a change of their account. `of` tells one change of an account from another.
 * @throws ProblemError contact_unknown while nobody has said where they are reached
 */
export async function recordAccountNotice(
  tx: Transaction,
  config: Config,
  message: RecordNotification,
  of: string,
): Promise<void> {
  const { recipientId } = message;
  const announcing = { sealer: createFactsSealer(config), publicUrl: config.PUBLIC_URL };
  const contact = await readContact(tx, recipientId);
  await recordNotification(tx, announcementOf(contact, announcing, `user:${recipientId}/${of}`, message));
}

/** Of whose account something was changed, and which mail tells them. */
interface AccessNotice {
  userId: string;
  template: 'password_changed' | 'second_factor_added' | 'second_factor_removed' | 'passkey_added' | 'passkey_removed';
  config: Config;
}

/**
 * Records that a person is told how others get into their account from now on, and how to object: whoever changed it may not be they. `of` as above.
 * @throws ProblemError contact_unknown while nobody has said where they are reached
 */
export async function recordAccessNotice(
  tx: Transaction,
  { userId, template, config }: AccessNotice,
  of: string,
): Promise<void> {
  const data = { forgotUrl: `${config.PUBLIC_URL}${FORGOT_PAGE}` };
  await recordAccountNotice(tx, config, { template, recipientId: userId, usefulUntil: null, data }, of);
}

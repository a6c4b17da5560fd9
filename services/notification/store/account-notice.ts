import type { Transaction } from '../../../db/client';
import { FORGOT_PAGE } from '../../../kernel/pages';
import type { Config } from '../../../platform/config';
import { announcementOf } from '../announcement';
import { createFactsSealer } from '../sealed-facts';
import { readContact } from './contacts';
import { recordNotification } from './saga-steps';

/** Of whose account something was changed, and which mail tells them. */
interface AccountNotice {
  userId: string;
  template: 'password_changed' | 'second_factor_added' | 'second_factor_removed' | 'passkey_added' | 'passkey_removed';
  config: Config;
}

/**
 * Records that a person is told how others get into their account from now on, and how to object: whoever changed it may not be they. `of` tells one
 * change of an account from another. @throws ProblemError contact_unknown while nobody has said where they are reached
 */
export async function recordAccountNotice(
  tx: Transaction,
  { userId, template, config }: AccountNotice,
  of: string,
): Promise<void> {
  const message = {
    ...{ template, recipientId: userId, usefulUntil: null },
    data: { forgotUrl: `${config.PUBLIC_URL}${FORGOT_PAGE}` },
  };
  const announcing = { sealer: createFactsSealer(config), publicUrl: config.PUBLIC_URL };
  const contact = await readContact(tx, userId);
  await recordNotification(tx, announcementOf(contact, announcing, `user:${userId}/${of}`, message));
}

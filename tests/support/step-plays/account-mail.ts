import { createAccountMailActivities } from '../../../activities/account-mail';
import { storeResetRequest, storeVerificationRequest } from '../../../services/identity/store/account-mails';
import type { StepPlay } from '../local-steps';
import { activeUser, uniqueEmail } from '../users';

/** Somebody asks for a new password, and for another link that proves their address. */
export const play: StepPlay = async (stack, noted) => {
  const { db } = stack.identity.database;
  const act = noted(createAccountMailActivities(stack.clients));
  const email = uniqueEmail();
  const userId = await activeUser(db, email);
  for (const requestId of [await storeResetRequest(db, email), await storeVerificationRequest(db, userId)]) {
    await act.beginAccountMail({ requestId, key: `account-mail:${requestId}/begin` });
    await act.sendAccountMail({ requestId, key: `account-mail:${requestId}/mail` });
  }
};

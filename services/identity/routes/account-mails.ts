import { Email } from '../../../platform/email';
import { SWEEP_BATCH } from '../../../platform/saga-request';
import type { Swept } from '../../../platform/schemas';
import type { ServiceDeps } from '../../../platform/service';
import { accountMailSaga } from '../../../workflows/account-mail.api';
import { rateLimitHeaders } from '../rules';
import { markMailStarted, storeResetRequest, storeVerificationRequest, unstartedMails } from '../store/account-mails';
import { createLimits } from '../store/limits';
import { readUser } from '../store/users';

/**
 * What takes requests for a mail with a link. A saga sends the mail: services do not call each other. One that cannot be started is started by the
 * sweep, so that whoever asks is answered all the same.
 */
export function createAccountMails(deps: ServiceDeps) {
  const { sagas, logger } = deps;
  const { db } = deps.database;
  const limits = createLimits(deps);

  async function begin(requestId: string): Promise<void> {
    await sagas
      .start(accountMailSaga, { requestId })
      .catch((error: unknown) => logger.warn({ err: error, requestId }, 'a mail waits for the sweep to begin it'));
  }

  return {
    /**
     * Takes a request for a new password of the account of `typed`, which may be any text. The same is done for every one, in the same order,
     * whether or not it has an account: what a saga then finds out takes nobody's time who waits for an answer.
     * @returns the headers that say what is left of the limit. @throws ProblemError rate_limited, of the network address alone
     */
    async forgotPassword(typed: string, address: string): Promise<Record<string, string>> {
      const headers = rateLimitHeaders(await limits.resetFrom(address));
      const email = Email.safeParse(typed).data;
      // What is no address is nobody's: the database, which takes less than any text, is asked for that of nobody.
      if (await limits.resetOf(email ?? typed)) await begin(await storeResetRequest(db, email ?? ''));
      return headers;
    },
    /**
     * Takes a signed-in person's request for another link that proves their address; one whose address is proven needs none.
     * @returns the headers that say what is left of the limit. @throws ProblemError rate_limited
     */
    async resendVerification(userId: string): Promise<Record<string, string>> {
      if ((await readUser(db, userId)).emailVerified) return {};
      const headers = rateLimitHeaders(await limits.verificationOf(userId));
      await begin(await storeVerificationRequest(db, userId));
      return headers;
    },
  };
}

/**
 * Starts the sagas of mails that were asked for and have none. What was asked for too long ago is left: its person has asked again, or does not
 * want it any more. @throws ProblemError upstream_unavailable when Temporal does not answer; what was started by then is noted
 */
export async function sweepAccountMails({ sagas, database: { db } }: ServiceDeps): Promise<Swept> {
  const requests = await unstartedMails(db, SWEEP_BATCH);
  for (const requestId of requests) {
    await sagas.start(accountMailSaga, { requestId });
    await markMailStarted(db, requestId);
  }
  return { found: requests.length, started: requests.length, refused: 0 };
}

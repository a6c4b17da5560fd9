import { notValid, ProblemError } from '../../../../kernel/errors';
import type { User } from '../../../../platform/auth';
import { SWEEP_BATCH, startAndWait } from '../../../../platform/saga-request';
import type { Swept } from '../../../../platform/schemas';
import type { ServiceDeps } from '../../../../platform/service';
import { emailChangeNews, emailChangeSaga } from '../../../../workflows/email-change.api';
import { verifyPassword } from '../../passwords';
import { rateLimitHeaders } from '../../rules';
import { createLimits } from '../../store/limits';
import { readPasswordHash } from '../../store/passwords';
import type { EmailChangeStatus } from '../contract';
import { confirmEmailChange, revertEmailChange } from '../store/links';
import { storeEmailChange } from '../store/requests';
import { lookAtEmailChange, markEmailChangeStarted, neglectedChanges, readEmailChange } from '../store/saga-steps';

/** The links of mails do what the rows say; the saga hears of it by a signal, and by the sweep where that is lost. */
export function createEmailChanges(deps: ServiceDeps) {
  const { sagas, logger, changes } = deps;
  const { db } = deps.database;
  const limits = createLimits(deps);

  async function begin(requestId: string): Promise<void> {
    await sagas
      .start(emailChangeSaga, { requestId })
      .catch((error: unknown) => logger.warn({ err: error, requestId }, 'a change waits for the sweep to begin it'));
  }

  async function tell(requestId: string): Promise<void> {
    await sagas
      .signal(emailChangeSaga.workflowId({ requestId }), emailChangeNews, {})
      .catch((error: unknown) => logger.warn({ err: error, requestId }, 'a saga hears of its change by the sweep'));
  }

  /** Has the saga hear of a change, and waits until it has seen to that, ten seconds after `receivedAt` at most. */
  async function seenTo(id: string, receivedAt: Date, while_: EmailChangeStatus): Promise<EmailChangeStatus> {
    const { status } = await startAndWait(changes, {
      ...{ id, receivedAt },
      start: () => tell(id),
      read: () => readEmailChange(db, id),
      isDecided: (read) => read.status !== while_,
    });
    return status;
  }

  return {
    /**
     * Takes a signed-in person's request for another address. @returns its id, and the headers that say what is left of the limit
     * @throws ProblemError validation_failed, rate_limited, email_taken, conflict
     */
    async ask(
      { id, sessionId }: User,
      { email, password }: { email: string; password: string },
    ): Promise<{ requestId: string; headers: Record<string, string> }> {
      const headers = rateLimitHeaders(await limits.passwordOf(id));
      const currentHash = await readPasswordHash(db, id);
      const wrong = (message: string) => notValid([{ path: 'password', message }], headers);
      const isRight = await verifyPassword(currentHash, password.normalize('NFC'));
      if (!isRight || currentHash === undefined) throw wrong('is not your password');
      await limits.emailChangeOf(id);
      const stored = await storeEmailChange(db, id, { email, currentHash, sessionId });
      if (!stored) throw wrong('was replaced in this moment');
      await Promise.all(stored.replaced.map(tell));
      await begin(stored.requestId);
      return { requestId: stored.requestId, headers };
    },

    /**
     * Confirms a change by the token of its mail. @returns whether it is made; it is under way otherwise
     * @throws ProblemError invalid_token; email_taken; request_expired when it was given up
     */
    async confirm(token: string, receivedAt: Date): Promise<boolean> {
      const { id } = await confirmEmailChange(db, token);
      const status = await seenTo(id, receivedAt, 'confirmed');
      if (status === 'taken') throw new ProblemError('email_taken');
      if (status === 'withdrawn' || status === 'void') throw new ProblemError('request_expired');
      return status !== 'confirmed';
    },

    /**
     * Takes a change back by the token of its mail. @returns whether the account has its address again; that is under way otherwise
     * @throws ProblemError invalid_token, conflict
     */
    async revert(token: string, receivedAt: Date): Promise<boolean> {
      const { id } = await revertEmailChange(db, token);
      return (await seenTo(id, receivedAt, 'reverting')) === 'reverted';
    },
  };
}

/**
 * Starts the sagas of changes that have none, and tells those that have not heard how their change stands. What has ended and has no saga is noted.
 * @throws ProblemError upstream_unavailable when Temporal does not answer
 */
export async function sweepEmailChanges({ sagas, logger, database: { db } }: ServiceDeps): Promise<Swept> {
  const neglected = await neglectedChanges(db, SWEEP_BATCH);
  let started = 0;
  for (const { id, begun, status } of neglected) {
    if (!begun) {
      await sagas.start(emailChangeSaga, { requestId: id });
      await markEmailChangeStarted(db, id);
      started += 1;
      continue;
    }
    if (await sagas.signal(emailChangeSaga.workflowId({ requestId: id }), emailChangeNews, {})) continue;
    if (status === 'confirmed' || status === 'reverting')
      logger.error({ requestId: id, status }, 'a change of address has no saga any more, and is not done');
    else await lookAtEmailChange(db, id);
  }
  return { found: neglected.length, started, refused: 0 };
}

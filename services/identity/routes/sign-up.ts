import { ProblemError } from '../../../kernel/errors';
import { startAndWait } from '../../../platform/saga-request';
import type { ServiceDeps } from '../../../platform/service';
import { userCreationSaga } from '../../../workflows/user-creation.api';
import type { RegisterRequest } from '../contract';
import { hashPassword } from '../passwords';
import {
  markSagaStarted,
  type PendingSignUp,
  releasePendingUser,
  signUpState,
  storePendingUser,
} from '../store/sign-up';

/**
 * Makes what registers a person: it stores the pending user, starts the saga that makes an account of the user and waits for
 * how that ends, at most ten seconds after `receivedAt`. It returns the id of the user, who is active or still pending.
 * It throws ProblemError email_taken, and upstream_unavailable when the saga could not be started or undid the sign-up.
 */
export function createSignUp({ sagas, changes, database: { db } }: ServiceDeps) {
  const failed = () =>
    new ProblemError('upstream_unavailable', 'The account could not be set up; register again', {
      retryAfterSeconds: 5,
    });

  async function startSaga(signUp: PendingSignUp, role: RegisterRequest['role']): Promise<void> {
    await sagas.start(userCreationSaga, { userId: signUp.userId, role }).catch(async (error: unknown) => {
      await releasePendingUser(db, signUp);
      throw error;
    });
    if (!(await markSagaStarted(db, signUp))) throw failed();
  }

  return async ({ email, password, role, ...registration }: RegisterRequest, receivedAt: Date): Promise<string> => {
    const passwordHash = await hashPassword(password);
    const signUp = await storePendingUser(db, { email, passwordHash, role, registration });
    const { userId } = signUp;
    const state = await startAndWait(changes, {
      id: userId,
      receivedAt,
      start: () => startSaga(signUp, role),
      read: () => signUpState(db, userId),
      isDecided: (read) => read !== 'pending',
    });
    if (state === 'removed') throw failed();
    return userId;
  };
}

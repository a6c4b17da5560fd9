import { ProblemError } from '../../../kernel/errors';
import { SWEEP_BATCH, startAndWait } from '../../../platform/saga-request';
import type { Swept } from '../../../platform/schemas';
import type { ServiceDeps } from '../../../platform/service';
import { userCreationSaga } from '../../../workflows/user-creation.api';
import type { User } from '../contract';
import {
  markHandedOver,
  markSagaStarted,
  type NewUser,
  type PendingSignUp,
  releasePendingUser,
  storePendingUser,
  unstartedSignUps,
} from '../store/sign-up';
import { findUser } from '../store/users';

/**
 * Makes what registers a person: it stores the pending user, starts the saga that makes an account of the user and waits for
 * how that ends, at most ten seconds after `receivedAt`. It returns the user, who is active or still pending.
 * It throws ProblemError email_taken, conflict when the sign-in at a provider is known already, and upstream_unavailable when the saga could not be
 * started or undid the sign-up.
 */
export function createSignUp({ sagas, changes, database: { db } }: ServiceDeps) {
  const failed = () =>
    new ProblemError('upstream_unavailable', 'The account could not be set up; register again', {
      retryAfterSeconds: 5,
    });

  async function startSaga(signUp: PendingSignUp, role: NewUser['role']): Promise<void> {
    await sagas.start(userCreationSaga, { userId: signUp.userId, role }).catch(async (error: unknown) => {
      await releasePendingUser(db, signUp);
      throw error;
    });
    if (!(await markSagaStarted(db, signUp))) throw failed();
  }

  return async (input: NewUser, receivedAt: Date): Promise<User> => {
    const signUp = await storePendingUser(db, input);
    const { userId } = signUp;
    // What was read last is the answer: a pending user who is looked up once more may be gone then.
    const user = await startAndWait(changes, {
      id: userId,
      receivedAt,
      start: () => startSaga(signUp, input.role),
      read: () => findUser(db, userId),
      isDecided: (read) => read?.status !== 'pending',
    });
    if (!user) throw failed();
    return user;
  };
}

/**
 * Starts the sagas of registrations that have none: their people were told to register again and have not. Whoever takes such a user
 * over meanwhile finds the same saga, which goes by the row.
 * @throws ProblemError upstream_unavailable when Temporal does not answer; what was started by then is noted
 */
export async function sweepSignUps({ sagas, database: { db } }: ServiceDeps): Promise<Swept> {
  const signUps = await unstartedSignUps(db, SWEEP_BATCH);
  for (const signUp of signUps) {
    await sagas.start(userCreationSaga, signUp);
    await markHandedOver(db, signUp.userId);
  }
  return { found: signUps.length, started: signUps.length, refused: 0 };
}

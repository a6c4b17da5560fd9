import type { TaskQueue } from '../kernel/modules';
import type { SagaType } from '../kernel/saga-type';

/** A registered user, whose row identity has stored: name, address and password hash are there and stay there. */
export interface UserCreationInput {
  userId: string;
  role: 'student' | 'tutor';
}

/**
 * How a sign-up ended: with an account that can log in, with nothing left of it, or given up by an operator between the two.
 * `reason` is an error code or a word of the saga's own.
 */
export interface UserCreationResult {
  outcome: 'active' | 'removed' | 'settled_by_operator';
  reason: string;
}

export const userCreationSaga: SagaType<UserCreationInput> = {
  workflowType: 'userCreation',
  taskQueue: 'core' satisfies TaskQueue,
  workflowId: ({ userId }) => userCreationWorkflowId(userId),
  searchAttributes: ({ userId, role }) => ({
    SagaKind: 'user-creation',
    SagaState: 'Running',
    ...(role === 'tutor' ? { TutorId: userId } : { StudentId: userId }),
  }),
  summary: ({ userId, role }) => `Sign-up of ${role} ${userId}`,
};

export function userCreationWorkflowId(userId: string): string {
  return `user:${userId}`;
}

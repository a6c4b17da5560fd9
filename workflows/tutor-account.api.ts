import type { TaskQueue } from '../kernel/modules';
import type { SagaType } from '../kernel/saga-type';

/** A request of a student to become a tutor, whose row identity has stored. */
export interface TutorAccountInput {
  requestId: string;
  userId: string;
}

/**
 * How a request ended: the person is a tutor, stays a student, or an operator gave it up between the two. `reason` is an error code or a word
 * of the saga's own.
 */
export interface TutorAccountResult {
  outcome: 'opened' | 'refused' | 'settled_by_operator';
  reason: string;
}

export const tutorAccountSaga: SagaType<TutorAccountInput> = {
  workflowType: 'tutorAccount',
  taskQueue: 'core' satisfies TaskQueue,
  workflowId: ({ requestId }) => `tutor-account:${requestId}`,
  searchAttributes: ({ requestId, userId }) => ({
    SagaKind: 'tutor-account',
    SagaState: 'Running',
    TutorId: userId,
    Refs: [`identity:${requestId}`, `user:${userId}`],
  }),
  summary: ({ userId }) => `Tutor's account of ${userId}`,
};

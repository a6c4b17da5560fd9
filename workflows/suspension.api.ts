import { defineSignal } from '@temporalio/workflow';
import type { TaskQueue } from '../kernel/modules';
import type { SagaType } from '../kernel/saga-type';

/** A suspension, whose row identity has stored. */
export interface SuspensionInput {
  suspensionId: string;
  userId: string;
}

/** `kept`: an operator gave it up to let the person in again. */
export interface SuspensionResult {
  outcome: 'ended' | 'kept';
}

export const suspensionSaga: SagaType<SuspensionInput> = {
  workflowType: 'suspension',
  taskQueue: 'core' satisfies TaskQueue,
  workflowId: ({ suspensionId }) => `suspension:${suspensionId}`,
  searchAttributes: ({ suspensionId, userId }) => ({
    SagaKind: 'suspension',
    SagaState: 'Running',
    Refs: [`identity:${suspensionId}`, `user:${userId}`],
  }),
  summary: ({ userId }) => `Suspension of ${userId}`,
};

/** An administrator has let the person in again. */
export const suspensionEnded = defineSignal<[{ suspensionId: string }]>('suspensionEnded');

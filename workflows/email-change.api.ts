import { defineSignal } from '@temporalio/workflow';
import type { TaskQueue } from '../kernel/modules';
import type { SagaType } from '../kernel/saga-type';

/** A change of an account's address that somebody asked identity for. Whose it is, and the addresses, identity knows. */
export interface EmailChangeInput {
  requestId: string;
}

/**
 * `kept`: the account has the new address for good. `reverted`: it has the one of before again. `taken`, `replaced`, `expired`, `void`, `withdrawn`:
 * it never had the new one, or, where it is `void`, has it no more, because an earlier change was taken back. `settled_by_operator`: an operator
 * accepted that a step will not happen.
 */
export interface EmailChangeResult {
  outcome: 'kept' | 'reverted' | 'taken' | 'replaced' | 'expired' | 'void' | 'withdrawn' | 'settled_by_operator';
}

export const emailChangeSaga: SagaType<EmailChangeInput> = {
  workflowType: 'emailChange',
  taskQueue: 'core' satisfies TaskQueue,
  workflowId: ({ requestId }) => `email-change:${requestId}`,
  searchAttributes: ({ requestId }) => ({
    SagaKind: 'email-change',
    SagaState: 'Running',
    Refs: [`identity:${requestId}`],
  }),
  summary: ({ requestId }) => `Change of address ${requestId}`,
};

/** The change stands otherwise than before: it was confirmed, replaced, made void or taken back. */
export const emailChangeNews = defineSignal<[Record<string, never>]>('emailChangeNews');

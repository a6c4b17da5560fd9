import type { TaskQueue } from '../kernel/modules';
import type { SagaType } from '../kernel/saga-type';

/** A mail with a link that somebody asked identity for. Whose it is, and whether there is anybody, identity knows. */
export interface AccountMailInput {
  requestId: string;
}

/**
 * `sent`: notification has it. `nothing`: nobody has the address, it is proven already, or the request was too old. `given_up`: a part of the
 * platform refused, or was away for a day.
 */
export interface AccountMailResult {
  outcome: 'sent' | 'nothing' | 'given_up';
}

export const accountMailSaga: SagaType<AccountMailInput> = {
  workflowType: 'accountMail',
  taskQueue: 'core' satisfies TaskQueue,
  workflowId: ({ requestId }) => `account-mail:${requestId}`,
  searchAttributes: ({ requestId }) => ({
    SagaKind: 'account-mail',
    SagaState: 'Running',
    Refs: [`identity:${requestId}`],
  }),
  summary: ({ requestId }) => `Account mail ${requestId}`,
};

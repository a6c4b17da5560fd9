import { defineSignal } from '@temporalio/workflow';
import type { TaskQueue } from '../kernel/modules';
import type { SagaType } from '../kernel/saga-type';
import type { DebtStatus } from '../kernel/statuses';

/** Whatever a payee owes in a currency, one debt after another: which is open, payment says. */
export interface DebtInput {
  payeeId: string;
  /** ISO 4217. */
  currency: string;
}

export interface DebtResult {
  /** `open`: an operator had it looked at no more. */
  status: DebtStatus;
}

export const debtSaga: SagaType<DebtInput> = {
  workflowType: 'debt',
  taskQueue: 'core' satisfies TaskQueue,
  workflowId: ({ payeeId, currency }) => `debt:${payeeId}:${currency}`,
  searchAttributes: ({ payeeId }) => ({
    SagaKind: 'debt',
    SagaState: 'Running',
    Refs: [`user:${payeeId}`],
  }),
  summary: ({ payeeId, currency }) => `Debt of payee ${payeeId} in ${currency}`,
};

/** There is an open debt; sent by payment every day for as long as it is. */
export const debtOpen = defineSignal<[{ debtId: string }]>('debtOpen');

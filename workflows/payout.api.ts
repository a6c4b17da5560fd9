import { defineSignal } from '@temporalio/workflow';
import type { TaskQueue } from '../kernel/modules';
import type { SagaType } from '../kernel/saga-type';

/** A payout, whose row payment has stored: its amount is set aside there. */
export interface PayoutInput {
  payoutId: string;
  payeeId: string;
}

export interface PayoutResult {
  status: 'completed' | 'failed' | 'cancelled';
}

export const payoutSaga: SagaType<PayoutInput> = {
  workflowType: 'payout',
  taskQueue: 'core' satisfies TaskQueue,
  workflowId: ({ payoutId }) => payoutWorkflowId(payoutId),
  searchAttributes: ({ payeeId }) => ({
    SagaKind: 'payout',
    SagaState: 'Running',
    Refs: [`user:${payeeId}`],
  }),
  summary: ({ payoutId, payeeId }) => `Payout ${payoutId} of payee ${payeeId}`,
};

export function payoutWorkflowId(payoutId: string): string {
  return `payout:${payoutId}`;
}

/** The payout changed at Stripe, or what it waited for is there; sent by payment for each webhook. */
export const payoutChanged = defineSignal<[{ payoutId: string; version: number }]>('payoutChanged');

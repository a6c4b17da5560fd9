import { defineSignal } from '@temporalio/workflow';
import type { TaskQueue } from '../kernel/modules';
import type { SagaType } from '../kernel/saga-type';
import type { DisputeStatus } from '../kernel/statuses';

/** A dispute, whose row payment has stored. */
export interface DisputeInput {
  disputeId: string;
  paymentId: string;
  bookingId: string | null;
  payeeId: string;
}

export interface DisputeResult {
  /** null: an operator had it looked at no more. */
  status: DisputeStatus | null;
}

export const disputeSaga: SagaType<DisputeInput> = {
  workflowType: 'dispute',
  taskQueue: 'core' satisfies TaskQueue,
  workflowId: ({ disputeId }) => disputeWorkflowId(disputeId),
  searchAttributes: ({ paymentId, bookingId, payeeId }) => ({
    SagaKind: 'dispute',
    SagaState: 'Running',
    PaymentId: paymentId,
    ...(bookingId && { BookingId: bookingId }),
    Refs: [`user:${payeeId}`],
  }),
  summary: ({ disputeId, paymentId }) => `Dispute ${disputeId} of payment ${paymentId}`,
};

export function disputeWorkflowId(disputeId: string): string {
  return `dispute:${disputeId}`;
}

/** The dispute changed: at Stripe, as its bank or an administrator has it, or its payee has said something. */
export const disputeChanged = defineSignal<[{ disputeId: string; version: number }]>('disputeChanged');

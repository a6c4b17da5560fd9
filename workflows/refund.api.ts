import { defineSignal } from '@temporalio/workflow';
import type { TaskQueue } from '../kernel/modules';
import type { SagaType } from '../kernel/saga-type';

/** A refund, whose row payment has stored: amount and reason are there. */
export interface RefundInput {
  refundId: string;
  paymentId: string;
  bookingId: string | null;
}

export interface RefundResult {
  status: 'succeeded' | 'failed';
}

export const refundSaga: SagaType<RefundInput> = {
  workflowType: 'refund',
  taskQueue: 'core' satisfies TaskQueue,
  workflowId: ({ refundId }) => refundWorkflowId(refundId),
  searchAttributes: (input) => ({
    SagaKind: 'refund',
    SagaState: 'Running',
    PaymentId: input.paymentId,
    ...(input.bookingId && { BookingId: input.bookingId }),
  }),
  summary: (input) => `Refund ${input.refundId} of payment ${input.paymentId}`,
};

export function refundWorkflowId(refundId: string): string {
  return `refund:${refundId}`;
}

/** The refund changed at Stripe; sent by payment for each webhook. */
export const refundChanged = defineSignal<[{ refundId: string; version: number }]>('refundChanged');

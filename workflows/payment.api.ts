import type { TaskQueue } from '../kernel/modules';
import type { SagaType } from '../kernel/saga-type';
import { MINUTE } from '../kernel/time';

/** How long a customer may take for 3-D Secure. */
export const PAYMENT_DEADLINE_MS = 15 * MINUTE;

/** A direct payment, whose row POST /api/payments has stored. */
export interface PaymentInput {
  paymentId: string;
  payerId: string;
  payeeId: string;
}

export const paymentSaga: SagaType<PaymentInput> = {
  workflowType: 'payment',
  taskQueue: 'core' satisfies TaskQueue,
  workflowId: ({ paymentId }) => paymentWorkflowId(paymentId),
  searchAttributes: (input) => ({ SagaKind: 'payment', SagaState: 'Running', PaymentId: input.paymentId }),
  summary: (input) => `Payment ${input.paymentId}`,
};

export function paymentWorkflowId(paymentId: string): string {
  return `payment:${paymentId}`;
}

export { paymentChanged } from './booking.api';

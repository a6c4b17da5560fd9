import { refundSaga } from '../../../workflows/refund.api';
import { examplesOf } from '../saga-examples';

const summary = 'Refund r1 of payment p1';

export const sagaExamples = examplesOf(
  refundSaga,
  ['signal refundChanged'],
  [
    { refundId: 'r1', paymentId: 'p1', bookingId: 'b1' },
    { workflowId: 'refund:r1', attributes: { SagaKind: 'refund', PaymentId: 'p1', BookingId: 'b1' }, summary },
  ],
  [
    { refundId: 'r1', paymentId: 'p1', bookingId: null },
    { workflowId: 'refund:r1', attributes: { SagaKind: 'refund', PaymentId: 'p1' }, summary },
  ],
);

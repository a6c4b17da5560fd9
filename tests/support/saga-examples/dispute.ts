import { disputeSaga } from '../../../workflows/dispute.api';
import { examplesOf } from '../saga-examples';

export const sagaExamples = examplesOf(
  disputeSaga,
  ['signal disputeChanged'],
  [
    { disputeId: 'd1', paymentId: 'p1', bookingId: 'b1', payeeId: 't1' },
    {
      workflowId: 'dispute:d1',
      attributes: { SagaKind: 'dispute', PaymentId: 'p1', BookingId: 'b1', Refs: ['user:t1'] },
      summary: 'Dispute d1 of payment p1',
    },
  ],
  [
    { disputeId: 'd1', paymentId: 'p1', bookingId: null, payeeId: 't1' },
    {
      workflowId: 'dispute:d1',
      attributes: { SagaKind: 'dispute', PaymentId: 'p1', Refs: ['user:t1'] },
      summary: 'Dispute d1 of payment p1',
    },
  ],
);

import { paymentSaga } from '../../../workflows/payment.api';
import { examplesOf } from '../saga-examples';

export const sagaExamples = examplesOf(
  paymentSaga,
  ['signal paymentChanged'],
  [
    { paymentId: 'p1', payerId: 's1', payeeId: 't1' },
    { workflowId: 'payment:p1', attributes: { SagaKind: 'payment', PaymentId: 'p1' }, summary: 'Payment p1' },
  ],
);

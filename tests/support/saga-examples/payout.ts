import { payoutSaga } from '../../../workflows/payout.api';
import { examplesOf } from '../saga-examples';

export const sagaExamples = examplesOf(
  payoutSaga,
  ['signal payoutChanged'],
  [
    { payoutId: 'p1', payeeId: 't1' },
    {
      workflowId: 'payout:p1',
      attributes: { SagaKind: 'payout', Refs: ['user:t1'] },
      summary: 'Payout p1 of payee t1',
    },
  ],
);

import { debtSaga } from '../../../workflows/debt.api';
import { examplesOf } from '../saga-examples';

export const sagaExamples = examplesOf(
  debtSaga,
  ['signal debtOpen'],
  [
    { payeeId: 't1', currency: 'EUR' },
    {
      workflowId: 'debt:t1:EUR',
      attributes: { SagaKind: 'debt', Refs: ['user:t1'] },
      summary: 'Debt of payee t1 in EUR',
    },
  ],
);

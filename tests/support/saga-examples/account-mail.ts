import { accountMailSaga } from '../../../workflows/account-mail.api';
import { examplesOf } from '../saga-examples';

export const sagaExamples = examplesOf(
  accountMailSaga,
  [],
  [
    { requestId: 'r1' },
    {
      workflowId: 'account-mail:r1',
      attributes: { SagaKind: 'account-mail', Refs: ['identity:r1'] },
      summary: 'Account mail r1',
    },
  ],
);

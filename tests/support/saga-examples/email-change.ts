import { emailChangeSaga } from '../../../workflows/email-change.api';
import { examplesOf } from '../saga-examples';

export const sagaExamples = examplesOf(
  emailChangeSaga,
  ['signal emailChangeNews'],
  [
    { requestId: 'r1' },
    {
      workflowId: 'email-change:r1',
      attributes: { SagaKind: 'email-change', Refs: ['identity:r1'] },
      summary: 'Change of address r1',
    },
  ],
);

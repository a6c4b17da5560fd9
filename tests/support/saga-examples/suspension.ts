import { suspensionSaga } from '../../../workflows/suspension.api';
import { examplesOf } from '../saga-examples';

export const sagaExamples = examplesOf(
  suspensionSaga,
  ['signal suspensionEnded'],
  [
    { suspensionId: 's1', userId: 'u1' },
    {
      workflowId: 'suspension:s1',
      attributes: { SagaKind: 'suspension', Refs: ['identity:s1', 'user:u1'] },
      summary: 'Suspension of u1',
    },
  ],
);

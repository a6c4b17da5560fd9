import { tutorAccountSaga } from '../../../workflows/tutor-account.api';
import { examplesOf } from '../saga-examples';

export const sagaExamples = examplesOf(
  tutorAccountSaga,
  [],
  [
    { requestId: 'r1', userId: 'u1' },
    {
      workflowId: 'tutor-account:r1',
      attributes: { SagaKind: 'tutor-account', TutorId: 'u1', Refs: ['identity:r1', 'user:u1'] },
      summary: "Tutor's account of u1",
    },
  ],
);

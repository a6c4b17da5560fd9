import { userCreationSaga } from '../../../workflows/user-creation.api';
import { examplesOf } from '../saga-examples';

export const sagaExamples = examplesOf(
  userCreationSaga,
  [],
  [
    { userId: 'u1', role: 'tutor' },
    {
      workflowId: 'user:u1',
      attributes: { SagaKind: 'user-creation', TutorId: 'u1' },
      summary: 'Sign-up of tutor u1',
    },
  ],
  [
    { userId: 'u1', role: 'student' },
    {
      workflowId: 'user:u1',
      attributes: { SagaKind: 'user-creation', StudentId: 'u1' },
      summary: 'Sign-up of student u1',
    },
  ],
);

import { z } from 'zod';
import { tutorAccountSaga } from '../../workflows/tutor-account.api';
import type { Scenario } from '../recording-cast';
import { type Person, type Stage, until } from '../recording-stage';

// Stories of students who become tutors.

/** Has somebody ask to become a tutor; the id of the saga once it begins. */
async function begun(
  stage: Stage,
  who: Person,
  expect: number[],
): Promise<{ workflowId: string; answered: Promise<unknown> }> {
  const answered = stage.api(z.unknown(), 'POST', `/api/users/${who.id}/tutor-account`, { who, expect });
  answered.catch(() => undefined);
  let workflowId = '';
  await until('becoming a tutor has a saga', async () => {
    const query = `WorkflowType = '${tutorAccountSaga.workflowType}' AND TutorId = '${who.id}'`;
    for await (const found of stage.client.workflow.list({ query })) workflowId = found.workflowId;
    return workflowId !== '';
  });
  return { workflowId, answered };
}

export const scenarios: Record<string, Scenario> = {
  opened: async (stage) => {
    const { workflowId } = await begun(stage, await stage.register('student'), [200]);
    await stage.settled(workflowId, 'Completed');
    return workflowId;
  },
  'cancelled-by-operator': async (stage) => {
    const who = await stage.register('student');
    await stage.fault({ kind: 'hang', ms: 3_000, match: { method: 'POST', path: '/v1/accounts' } });
    const { workflowId } = await begun(stage, who, [202, 503]);
    await until('the account is made', async () => (await stage.scheduledOf(workflowId)).includes('openPayeeAccount'));
    await stage.client.workflow.getHandle(workflowId).cancel();
    await stage.settled(workflowId, 'Compensated');
    return workflowId;
  },
  // For longer than local attempts last.
  'tutoring-away': async (stage) => {
    const who = await stage.register('student');
    let workflowId = '';
    await stage.without('tutoring', async () => {
      ({ workflowId } = await begun(stage, who, [200, 202]));
      await until('the profile is a recorded step', async () =>
        (await stage.scheduledOf(workflowId)).includes('makeTutorProfile'),
      );
    });
    await stage.settled(workflowId, 'Completed');
    return workflowId;
  },
};

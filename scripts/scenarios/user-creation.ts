import { userCreationWorkflowId } from '../../workflows/user-creation.api';
import type { Scenario } from '../recording-cast';
import { until } from '../recording-stage';

// Stories of sign-ups.

const signedUp =
  (role: 'student' | 'tutor'): Scenario =>
  async (stage) => {
    const { id } = await stage.register(role);
    await stage.settled(userCreationWorkflowId(id), 'Completed');
    return userCreationWorkflowId(id);
  };

export const scenarios: Record<string, Scenario> = {
  student: signedUp('student'),
  tutor: signedUp('tutor'),
  'cancelled-by-operator': async (stage) => {
    await stage.fault({ kind: 'hang', ms: 3_000, match: { method: 'POST', path: '/v1/customers' } });
    const refused = stage.register('student').catch(() => undefined);
    let workflowId: string | undefined;
    await until('a sign-up makes its Stripe account', async () => {
      const query = `WorkflowType = 'userCreation' AND ExecutionStatus = 'Running'`;
      for await (const found of stage.client.workflow.list({ query })) workflowId = found.workflowId;
      if (!workflowId) return false;
      const { events } = await stage.client.workflow.getHandle(workflowId).fetchHistory();
      return events?.some((event) => event.activityTaskScheduledEventAttributes) === true;
    });
    await stage.client.workflow.getHandle(String(workflowId)).cancel();
    await refused;
    await stage.settled(String(workflowId), 'Compensated');
    return String(workflowId);
  },
};

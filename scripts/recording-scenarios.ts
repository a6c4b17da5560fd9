import { userCreationWorkflowId } from '../workflows/user-creation.api';
import { booking } from './recording-bookings';
import type { Scenario } from './recording-cast';
import { payment, refund } from './recording-money';
import { until } from './recording-stage';

// Stories of sign-ups; and all stories.

const signedUp =
  (role: 'student' | 'tutor'): Scenario =>
  async (stage) => {
    const { id } = await stage.register(role);
    await stage.settled(userCreationWorkflowId(id), 'Completed');
    return userCreationWorkflowId(id);
  };

const userCreation: Record<string, Scenario> = {
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

/**
 * Every story by saga and name, with the version where the code of today records another history than the code of before. They are played
 * one after another: some tell Stripe to hang.
 */
export const SCENARIOS: Readonly<Record<string, Readonly<Record<string, Scenario>>>> = {
  booking,
  payment,
  refund,
  'user-creation': userCreation,
};

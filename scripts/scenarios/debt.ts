import { z } from 'zod';
import { dailyDebtsSchedule } from '../../workflows/daily-debts.api';
import { debtSaga } from '../../workflows/debt.api';
import { paymentWorkflowId } from '../../workflows/payment.api';
import { refundWorkflowId } from '../../workflows/refund.api';
import { people, type Scenario } from '../recording-cast';
import { createdSchema, type Person, type Stage, until } from '../recording-stage';

// Stories of debts. The platform that they are played on lets earnings rest for no day (`EARNINGS_HOLD_DAYS`).

/** Has somebody earn what is payable at once. @returns the payment */
async function earns(stage: Stage, student: Person, tutor: Person, amount: number): Promise<string> {
  const body = {
    ...{ payeeId: tutor.id, amount: { amount, currency: 'EUR' } },
    ...{ paymentMethodId: 'pm_card_visa', description: 'Books' },
  };
  const { id } = await stage.api(createdSchema, 'POST', '/api/payments', { who: student, body });
  await stage.settled(paymentWorkflowId(id), 'Completed');
  return id;
}

/** A debt that an operator is shown: what was set aside for a payout was given back to who had paid it. @returns the saga's id */
async function debtor(stage: Stage) {
  await stage.connect('settings', { onboarding: 'required' });
  const { student, tutor } = await people(stage);
  const paymentId = await earns(stage, student, tutor, 30_000);
  await stage.api(createdSchema, 'POST', '/api/payouts/initiate', { who: tutor, body: {} });
  const asked = { amount: { amount: 30_000, currency: 'EUR' }, reason: 'The session was cut short' };
  const { id } = await stage.api(createdSchema, 'POST', `/api/payments/${paymentId}/refund`, {
    who: tutor,
    body: asked,
  });
  await stage.settled(refundWorkflowId(id), 'Completed');
  const workflowId = debtSaga.workflowId({ payeeId: tutor.id, currency: 'EUR' });
  await stage.client.schedule.getHandle(dailyDebtsSchedule.scheduleId).trigger();
  await until(`${workflowId} is there`, async () => stage.stateOf(workflowId).then(() => true, isMissing));
  await stage.settled(workflowId, 'NeedsAttention');
  return { student, tutor, workflowId };
}

const missing = z.object({ name: z.literal('WorkflowNotFoundError') });
function isMissing(error: unknown): boolean {
  if (missing.safeParse(error).success) return false;
  throw error;
}

const settledAs =
  (action: 'paid_elsewhere' | 'waived'): Scenario =>
  async (stage) => {
    const { workflowId } = await debtor(stage);
    await stage.update(workflowId, 'resolve', { step: 'debt', action, noteId: null });
    await stage.settled(workflowId, 'Completed');
    return workflowId;
  };

export const scenarios: Record<string, Scenario> = {
  'paid-elsewhere': settledAs('paid_elsewhere'),
  waived: settledAs('waived'),
  recovered: async (stage) => {
    const { student, tutor, workflowId } = await debtor(stage);
    await earns(stage, student, tutor, 40_000);
    await stage.update(workflowId, 'resolve', { step: 'debt', action: 'retry', noteId: null });
    await stage.settled(workflowId, 'Completed');
    return workflowId;
  },
  // It waits for a day between two looks: the history ends before that. The Schedule has told it once more.
  'told-again': async (stage) => {
    const { workflowId } = await debtor(stage);
    const looks = async () => (await stage.scheduledOf(workflowId)).length;
    const before = await looks();
    await stage.client.schedule.getHandle(dailyDebtsSchedule.scheduleId).trigger();
    await until(`${workflowId} is looked at again`, async () => (await looks()) > before);
    await stage.settled(workflowId, 'NeedsAttention');
    return workflowId;
  },
};

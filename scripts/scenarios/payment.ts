import { pay, type Scenario } from '../recording-cast';

// Stories of direct payments.

export const scenarios: Record<string, Scenario> = {
  paid: async (stage) => {
    const { workflowId } = await pay(stage, 'pm_card_visa', [201]);
    await stage.settled(workflowId, 'Completed');
    return workflowId;
  },
  declined: async (stage) => {
    const { workflowId } = await pay(stage, 'pm_card_visa_chargeDeclined', [402]);
    await stage.settled(workflowId, 'Compensated');
    return workflowId;
  },
  'three-d-secure': async (stage) => {
    const { workflowId, clientSecret } = await pay(stage, 'pm_card_threeDSecure2Required', [202]);
    await stage.threeDSecure(clientSecret, 'complete');
    await stage.settled(workflowId, 'Completed');
    return workflowId;
  },
  'three-d-secure-failed': async (stage) => {
    const { workflowId, clientSecret } = await pay(stage, 'pm_card_threeDSecure2Required', [202]);
    await stage.threeDSecure(clientSecret, 'fail');
    await stage.settled(workflowId, 'Compensated');
    return workflowId;
  },
};

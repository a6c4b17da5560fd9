import { type Resolution, resolve } from '../../workflows/saga.api';
import { eventually, type TestPlatform } from './platform';

/** As an operator does: sees that the saga needs attention, and has `step` tried again. */
export async function haveRetried({ temporal }: TestPlatform, workflowId: string, step: string): Promise<void> {
  const saga = temporal.workflow.getHandle(workflowId);
  await eventually(
    `${workflowId} asks an operator`,
    async () => (await saga.describe()).searchAttributes.SagaState?.[0] === 'NeedsAttention',
    60_000,
  );
  const args: [Resolution] = [{ step, action: 'retry' }];
  await saga.executeUpdate(resolve, { args });
}

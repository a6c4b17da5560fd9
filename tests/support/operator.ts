import { currentDetails } from '../../dev/chaos/histories';
import { type Resolution, resolve } from '../../workflows/saga.api';
import { eventually, type TestPlatform } from './platform';

/**
 * As an operator does: sees that the saga needs attention for `step`, and has it tried again. What the saga says of itself is not enough: a
 * debt's needs attention all the time, also while nothing of it can be tried again.
 */
export async function haveRetried({ temporal }: TestPlatform, workflowId: string, step: string): Promise<void> {
  const saga = temporal.workflow.getHandle(workflowId);
  const needsAttention = async () => (await saga.describe()).searchAttributes.SagaState?.[0] === 'NeedsAttention';
  const isAsked = async () => (await currentDetails(saga).catch(() => '')).includes(`**${step}** is not done`);
  await eventually(`${workflowId} asks about ${step}`, async () => (await needsAttention()) && isAsked(), 60_000);
  const args: [Resolution] = [{ step, action: 'retry' }];
  await saga.executeUpdate(resolve, { args });
}

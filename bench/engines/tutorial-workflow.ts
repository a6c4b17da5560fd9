import { condition, defineUpdate, proxyActivities, setHandler, sleep } from '@temporalio/workflow';
import type { Order, Outcome } from '../order';
import type { TutorialActivities } from './tutorial-activities';

// The tutorial's way: every step and every undo is an activity with the SDK's defaults, and an update answers the
// caller.

const act = proxyActivities<TutorialActivities>({ startToCloseTimeout: '1 minute' });

export const outcomeUpdate = defineUpdate<Outcome, []>('outcome');

export async function tutorialBooking(order: Order): Promise<void> {
  let outcome: Outcome | undefined;
  setHandler(outcomeUpdate, async (): Promise<Outcome> => {
    await condition(() => outcome !== undefined);
    return outcome ?? { outcome: 'refused', code: 'internal' };
  });
  const undos: (() => Promise<unknown>)[] = [];
  let step: { refused: string } | { value: unknown };
  const terms = await act.create(order);
  if ('refused' in terms) step = terms;
  else {
    undos.push(() => act.releaseSlot(order));
    step = await act.holdSlot(order);
    if (!('refused' in step)) {
      undos.push(() => act.settleToZero(order));
      step = await act.takePayment(order, terms.value);
    }
  }
  if ('refused' in step) {
    for (const undo of undos.reverse()) await undo();
    await act.cancel(order, step.refused);
    outcome = { outcome: 'refused', code: step.refused };
    return;
  }
  await act.confirm(order);
  outcome = { outcome: 'confirmed' };
  await act.notify(order);
  await sleep(Math.max(0, Date.parse(order.scheduledAt) - 24 * 3_600_000 - Date.now()));
}

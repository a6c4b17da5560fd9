import type { BookingTerms } from '../../activities/booking';
import type { Order } from '../order';
import { type Answer, answered, type createSteps } from '../saga';

export type TutorialActivities = ReturnType<typeof createTutorialActivities>;

/** The shared steps, each an activity. A refusal is an answer here too, so that no retry policy has to know it. */
export function createTutorialActivities(steps: ReturnType<typeof createSteps>) {
  return {
    create: (order: Order) => answered(() => steps.create(order)),
    holdSlot: (order: Order) => answered(() => steps.holdSlot(order)),
    takePayment: (order: Order, terms: BookingTerms) => answered(() => steps.takePayment(order, terms)),
    confirm: (order: Order) => steps.confirm(order),
    notify: (order: Order) => steps.notify(order),
    settleToZero: (order: Order) => steps.settleToZero(order),
    releaseSlot: (order: Order) => steps.releaseSlot(order),
    cancel: (order: Order, code: string) => steps.cancel(order, code),
  } satisfies Record<string, (...input: never[]) => Promise<Answer<unknown> | null>>;
}

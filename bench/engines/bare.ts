import type { Outcome } from '../order';
import { bookSession, createSteps, retrying } from '../saga';
import type { StartEngine } from './engine';

/**
 * The ceiling: an async function with retries and nothing durable. Bookings under way are lost when the process ends.
 */
export const startBare: StartEngine = async ({ clients }) => {
  const steps = createSteps(clients);
  const running = new Set<Promise<void>>();
  return {
    book: (order) =>
      new Promise<Outcome>((resolve, reject) => {
        const saga = bookSession(steps, order, {
          run: (_, step) => retrying(step),
          answer: async (outcome) => resolve(outcome),
          live: async () => undefined,
        }).catch(reject);
        running.add(saga);
        void saga.finally(() => running.delete(saga));
      }),
    close: async () => void (await Promise.all(running)),
  };
};

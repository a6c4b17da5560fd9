import { DBOS } from '@dbos-inc/dbos-sdk';
import { type Order, type Outcome, outcomeSchema, untilReminder } from '../order';
import { bookSession, createSteps, RETRY } from '../saga';
import type { StartEngine } from './engine';

const OUTCOME = 'outcome';
const PATIENCE_SECONDS = 60;

/**
 * DBOS stores every step's answer as a row in Postgres. An event of the workflow answers the caller, and the workflow
 * sleeps on.
 */
export const startDbos: StartEngine = async ({ clients, databaseUrl, poolSize }) => {
  const steps = createSteps(clients);
  DBOS.setConfig({
    name: 'bench',
    systemDatabaseUrl: databaseUrl,
    systemDatabasePoolSize: poolSize,
    applicationVersion: 'bench',
    logLevel: 'error',
    listenQueues: [],
  });
  const book = DBOS.registerWorkflow(
    (order: Order) =>
      bookSession(steps, order, {
        run: (name, step) =>
          DBOS.runStep(step, {
            name,
            retriesAllowed: true,
            maxAttempts: RETRY.attempts,
            intervalSeconds: RETRY.firstMs / 1_000,
            backoffRate: RETRY.factor,
          }),
        answer: (outcome) => DBOS.setEvent<Outcome>(OUTCOME, outcome),
        live: () => DBOS.sleep(untilReminder(order)),
      }),
    { name: 'book' },
  );
  await DBOS.launch();
  return {
    async book(order) {
      await DBOS.startWorkflow(book, { workflowID: order.bookingId })(order);
      return outcomeSchema.parse(await DBOS.getEvent(order.bookingId, OUTCOME, PATIENCE_SECONDS));
    },
    close: () => DBOS.shutdown(),
  };
};

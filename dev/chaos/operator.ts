import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection, WorkflowNotFoundError } from '@temporalio/client';
import { resolve } from '../../workflows/saga.api';
import { weeklyPayoutsSchedule } from '../../workflows/weekly-payouts.api';
import type { RunningPlatform } from '../stack/platform';
import { currentDetails } from './histories';

/** Somebody who answers what asks for attention. */
export interface Operator {
  /** What was answered to whom, in order. */
  answers: { workflowId: string; step: string }[];
  /** Cancels a saga, unless it has ended. Tried until Temporal has taken it. */
  callOff(workflowId: string): Promise<void>;
  /** Triggers the Schedule that opens the week's payouts. Tried until Temporal has taken it. */
  triggerWeek(): Promise<void>;
  /** Leaves when the answer that is under way has been given. */
  leave(): Promise<void>;
}

const LOOK_EVERY_MS = 2_000;
const ANSWER_WITHIN_MS = 10_000;

/** The steps that the details of a saga show as not done. */
const stuckIn = (details: string) =>
  [...details.matchAll(/^- \*\*(.+?)\*\* is not done/gm)].map(([, step = '']) => step);

/** Looks every two seconds for sagas that need attention, as the runbook says, and has each step that is stuck tried again. */
export function startOperator({ config }: Pick<RunningPlatform, 'config'>): Operator {
  const connection = Connection.lazy({ address: config.TEMPORAL_ADDRESS });
  const temporal = new Client({ connection, namespace: config.TEMPORAL_NAMESPACE });
  const gone = new AbortController();
  const answers: Operator['answers'] = [];

  async function look(): Promise<void> {
    for await (const { workflowId } of temporal.workflow.list({
      query: 'ExecutionStatus="Running" and SagaState="NeedsAttention"',
    })) {
      const handle = temporal.workflow.getHandle(workflowId);
      for (const step of stuckIn(await currentDetails(handle))) {
        await connection.withDeadline(Date.now() + ANSWER_WITHIN_MS, () =>
          handle.executeUpdate(resolve, { args: [{ step, action: 'retry', noteId: null }] }),
        );
        answers.push({ workflowId, step });
      }
    }
  }

  const works = (async () => {
    while (!gone.signal.aborted) {
      // Temporal may be down, and a saga may have gone on by itself: the next look shows.
      await connection.withDeadline(Date.now() + ANSWER_WITHIN_MS, look).catch(() => undefined);
      await sleep(LOOK_EVERY_MS, undefined, { signal: gone.signal }).catch(() => undefined);
    }
  })();
  async function untilTaken(give: () => Promise<unknown>): Promise<void> {
    const isTaken = () =>
      connection.withDeadline(Date.now() + ANSWER_WITHIN_MS, give).then(
        () => true,
        (error: unknown) => error instanceof WorkflowNotFoundError,
      );
    while (!(await isTaken())) await sleep(LOOK_EVERY_MS);
  }

  return {
    answers,
    callOff: (workflowId) => untilTaken(() => temporal.workflow.getHandle(workflowId).cancel()),
    triggerWeek: () => untilTaken(() => temporal.schedule.getHandle(weeklyPayoutsSchedule.scheduleId).trigger()),
    async leave() {
      gone.abort();
      await works;
      await connection.close();
    },
  };
}

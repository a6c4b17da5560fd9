import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection, ScheduleOverlapPolicy, WorkflowNotFoundError } from '@temporalio/client';
import type { OperatorAction, ScheduledWorkflow } from '../../kernel/saga-type';
import { dailyDisputesSchedule } from '../../workflows/daily-disputes.api';
import { resolve } from '../../workflows/saga.api';
import { weeklyPayoutsSchedule } from '../../workflows/weekly-payouts.api';
import type { RunningPlatform } from '../stack/platform';
import { currentDetails } from './histories';
import { openSandboxLine } from './sandbox-line';
import { disputesAtStripe } from './stripe-state';

/** Somebody who answers what asks for attention. */
export interface Operator {
  /** What was answered to whom, in order. */
  answers: { workflowId: string; step: string; action: OperatorAction }[];
  /** Cancels a saga, unless it has ended. Tried until Temporal has taken it. */
  callOff(workflowId: string): Promise<void>;
  /** Triggers the Schedule that opens the week's payouts. Tried until Temporal has taken it. */
  triggerWeek(): Promise<void>;
  /** Triggers the Schedule that finds disputes; after one that is running. Tried until Temporal has taken it. */
  triggerNight(): Promise<void>;
  /** Leaves when the answer that is under way has been given. */
  leave(): Promise<void>;
}

const LOOK_EVERY_MS = 2_000;
const ANSWER_WITHIN_MS = 10_000;

/** The steps that the details of a saga show as not done. */
const stuckIn = (details: string) =>
  [...details.matchAll(/^- \*\*(.+?)\*\* is not done/gm)].map(([, step = '']) => step);

/**
 * Looks every two seconds for sagas that need attention, as the runbook says, and has each step that is stuck tried again. A refund of a payment
 * that was charged back Stripe never makes: what is left of it is paid elsewhere.
 */
export function startOperator({ config, urls }: Pick<RunningPlatform, 'config' | 'urls'>): Operator {
  const connection = Connection.lazy({ address: config.TEMPORAL_ADDRESS });
  const temporal = new Client({ connection, namespace: config.TEMPORAL_NAMESPACE });
  const gone = new AbortController();
  const answers: Operator['answers'] = [];
  const { state } = openSandboxLine(urls.stripeSandbox ?? '');

  async function answerTo(step: string, paymentId: string): Promise<OperatorAction> {
    const isLost = async () => disputesAtStripe(await state(), paymentId).some(({ status }) => status === 'lost');
    return step === 'refund' && (await isLost()) ? 'paid_elsewhere' : 'retry';
  }

  async function look(): Promise<void> {
    for await (const { workflowId, searchAttributes } of temporal.workflow.list({
      query: 'ExecutionStatus="Running" and SagaState="NeedsAttention"',
    })) {
      const handle = temporal.workflow.getHandle(workflowId);
      for (const step of stuckIn(await currentDetails(handle))) {
        const action = await answerTo(step, String(searchAttributes.PaymentId?.[0]));
        await connection.withDeadline(Date.now() + ANSWER_WITHIN_MS, () =>
          handle.executeUpdate(resolve, { args: [{ step, action, noteId: null }] }),
        );
        answers.push({ workflowId, step, action });
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

  const scheduleOf = ({ scheduleId }: ScheduledWorkflow) => temporal.schedule.getHandle(scheduleId);
  return {
    answers,
    callOff: (workflowId) => untilTaken(() => temporal.workflow.getHandle(workflowId).cancel()),
    triggerWeek: () => untilTaken(() => scheduleOf(weeklyPayoutsSchedule).trigger()),
    triggerNight: () => untilTaken(() => scheduleOf(dailyDisputesSchedule).trigger(ScheduleOverlapPolicy.BUFFER_ONE)),
    async leave() {
      gone.abort();
      await works;
      await connection.close();
    },
  };
}

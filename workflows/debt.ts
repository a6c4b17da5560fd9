import {
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { DebtActivities, DebtSummary } from '../activities/debt';
import { inUnits } from '../kernel/money';
import type { Settlement } from '../kernel/saga-type';
import { DAY } from '../kernel/time';
import { type DebtInput, type DebtResult, debtOpen, debtSaga } from './debt.api';
import type { Calls } from './duties';
import { createSaga } from './saga';

/** What happens to a debt; nothing takes it back. Tests and `docs/sagas/debt.md` go by this table. */
export const DEBT_STEPS = {
  look: { does: 'lookAtDebt', undo: null, runs: 'recorded' },
  settle: { does: 'settleDebt', undo: null, runs: 'recorded' },
} as const;

/** Of what was earned meanwhile nobody tells it. */
const LOOKS_EVERY_MS = DAY;

/**
 * What a payee owes for so long, or so much, that an operator is to see it: see `docs/sagas/debt.md`. It waits for an operator's word and
 * looks every day whether earnings have paid the debt. A cancel changes nothing: what is owed is owed.
 */
export async function debt(input: DebtInput): Promise<DebtResult> {
  const { payeeId, currency } = input;
  const about = `Debt of payee ${payeeId} in ${currency}`;
  const saga = createSaga<DebtActivities>();
  let told = 0;
  setHandler(debtOpen, () => {
    told += 1;
  });

  return CancellationScope.nonCancellable(async () => {
    saga.tell('Running', `${about}: asking payment what is left of it.`);
    for (;;) {
      const heard = told;
      const state = await saga.forward('look', (act) => act.lookAtDebt({ payeeId, currency }));
      if (!state) return finish('open', 'an operator had it looked at no more; as long as it is open it begins again');
      if (state.status === 'open') {
        await untilAnswered(state, () => told > heard);
        if (workflowInfo().continueAsNewSuggested) await goOnAnew();
      } else if (told === heard) {
        return finish(
          state.status,
          state.status === 'settled' ? 'an operator has settled it' : 'earnings have paid it',
        );
      }
      // Else another one was opened as this one ended.
    }
  });

  /** Until an operator has said what becomes of it, and that is done; or until there is reason to look again. */
  async function untilAnswered(state: DebtSummary, isTold: () => boolean): Promise<void> {
    // It stays in this state between two looks: lists that are watched do not flicker.
    saga.tell('NeedsAttention', sentenceOf(state));
    const answers = saga.answers();
    const asking = saga.askOperator('debt', 'earnings have not paid it', settling(state));
    const isAnswered = () => saga.answers() > answers;
    await condition(() => isAnswered() || isTold(), LOOKS_EVERY_MS);
    // What an operator has said at this very moment counts.
    if (!isAnswered()) saga.drop((name) => name === 'debt');
    await asking;
  }

  /** An operator settles the debt that they were shown, once, whatever its payee owes after that. */
  function settling({ debtId }: DebtSummary) {
    const key = `${debtSaga.workflowId(input)}/settle/${debtId}`;
    return (act: Calls<DebtActivities>, as: Settlement) => act.settleDebt({ payeeId, currency, debtId, as, key });
  }

  function sentenceOf({ debtId, left, since }: DebtSummary): string {
    return `Payee ${payeeId} owes ${inUnits({ amount: left, currency })} ${currency} since ${since} (debt ${debtId}). What they earn pays it first.`;
  }

  async function goOnAnew(): Promise<never> {
    await condition(allHandlersFinished);
    return continueAsNew<typeof debt>(input);
  }

  async function finish(status: DebtResult['status'], how: string): Promise<DebtResult> {
    saga.tell('Completed', `${about}: ${how}.`);
    await condition(allHandlersFinished);
    return { status };
  }
}

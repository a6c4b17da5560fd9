import {
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { DebtActivities, DebtSummary } from '../activities/debt';
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
  const operator: { asking: Promise<void> | undefined; settles: boolean } = { asking: undefined, settles: false };
  // Reasons to look again, so far.
  let news = 0;
  setHandler(debtOpen, () => {
    news += 1;
  });

  return CancellationScope.nonCancellable(async () => {
    saga.tell('Running', `${about}: asking payment what is left of it.`);
    for (;;) {
      const [heard, answers] = [news, saga.answers()];
      const state = await saga.forward('look', (act) => act.lookAtDebt({ payeeId, currency }));
      if (!state) return finish('open', 'an operator had it looked at no more; as long as it is open it begins again');
      // An operator's word was carried out meanwhile, or another debt was opened as this one ended.
      if (news > heard) continue;
      if (state.status === 'settled') return finish('settled', 'an operator has settled it');
      if (state.status === 'recovered') return finish('recovered', 'earnings have paid it');
      // It stays in this state between two looks: lists that are watched do not flicker.
      saga.tell('NeedsAttention', sentenceOf(state));
      operator.asking ??= ask(state);
      await condition(() => news > heard, LOOKS_EVERY_MS);
      // What an operator said this time is done first.
      if (workflowInfo().continueAsNewSuggested && !operator.settles && saga.answers() === answers) await goOnAnew();
    }
  });

  /** Asks an operator what becomes of it, and does what they say. The question stays open while it is looked at anew. */
  async function ask({ debtId }: DebtSummary): Promise<void> {
    // The debt that they were shown, whatever its payee owes after that.
    const key = `${debtSaga.workflowId(input)}/settle/${debtId}`;
    await saga.askOperator('debt', 'earnings have not paid it', (act: Calls<DebtActivities>, as: Settlement) => {
      operator.settles = true;
      return act.settleDebt({ payeeId, currency, debtId, as, key });
    });
    operator.settles = false;
    operator.asking = undefined;
    news += 1;
  }

  function sentenceOf({ debtId, left, since }: DebtSummary): string {
    return `Payee ${payeeId} owes ${left} since ${since} (debt ${debtId}). What they earn pays it first.`;
  }

  async function goOnAnew(): Promise<never> {
    await condition(allHandlersFinished);
    return continueAsNew<typeof debt>(input);
  }

  async function finish(status: DebtResult['status'], how: string): Promise<DebtResult> {
    saga.drop((name) => name === 'debt');
    await operator.asking;
    saga.tell('Completed', `${about}: ${how}.`);
    await condition(allHandlersFinished);
    return { status };
  }
}

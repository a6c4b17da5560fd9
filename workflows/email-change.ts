import {
  allHandlersFinished,
  CancellationScope,
  condition,
  proxyActivities,
  proxyLocalActivities,
  setHandler,
} from '@temporalio/workflow';
import type { EmailChangeActivities, Standing } from '../activities/email-change';
import { DAY, SECOND } from '../kernel/time';
import { LOCAL_CALL, UNTIL_DONE_DAYLONG } from './activity-options';
import { type EmailChangeInput, type EmailChangeResult, emailChangeNews } from './email-change.api';
import { codeOf, refuse } from './failures';
import { localFirst } from './local-first';
import { createSaga } from './saga';

/** What happens to a change of address. Each step with what takes it back; tests and `docs/sagas/email-change.md` go by this table. */
export const EMAIL_CHANGE_STEPS = {
  look: { does: 'lookAtEmailChange', undo: null, runs: 'local' },
  propose: { does: 'proposeAddress', undo: 'dropAddress', runs: 'local' },
  ask: { does: 'askToConfirm', undo: 'withdrawEmailChange', runs: 'local' },
  switch: { does: 'switchAddress', undo: 'switchAddressBack', runs: 'local' },
  // the pivot, unless somebody else has the address
  make: { does: 'makeEmailChange', undo: null, runs: 'recorded' },
  taken: { does: 'tellEmailTaken', undo: null, runs: 'local' },
  tell: { does: 'tellOfEmailChange', undo: null, runs: 'local' },
  restore: { does: 'restoreAddress', undo: null, runs: 'recorded' },
  'take-back': { does: 'takeEmailChangeBack', undo: null, runs: 'recorded' },
  forget: { does: 'forgetAddress', undo: null, runs: 'local' },
} as const;

const locally = proxyLocalActivities<EmailChangeActivities>(LOCAL_CALL);
// A day: whoever asked for it was told that a mail comes.
const late = proxyActivities<EmailChangeActivities>(UNTIL_DONE_DAYLONG);
const proposeAddress = localFirst(locally.proposeAddress, late.proposeAddress);
const askToConfirm = localFirst(locally.askToConfirm, late.askToConfirm);
const switchAddress = localFirst(locally.switchAddress, late.switchAddress);
const tellEmailTaken = localFirst(locally.tellEmailTaken, late.tellEmailTaken);

/**
 * A change of address, from its request until it cannot be taken back any more: see `docs/sagas/email-change.md`. The address that a person is
 * reached by changes before that of their account, in both directions: a link for a new password counts for the latter and is sent to the former.
 */
export async function emailChange({ requestId }: EmailChangeInput): Promise<EmailChangeResult> {
  const saga = createSaga<EmailChangeActivities>();
  const about = `Change of address ${requestId}`;
  const beforePivot = new CancellationScope();
  let news = 0;
  setHandler(emailChangeNews, () => {
    news += 1;
  });
  // Temporal's own Cancel is an operator who calls the change off; once it is made only its person can take it back.
  CancellationScope.current().cancelRequested.catch(() => beforePivot.cancel());

  return CancellationScope.nonCancellable(async () => {
    const made = await change();
    if (made === undefined) {
      saga.tell('Completed', `${about}: settled by an operator.`);
      return finish(made);
    }
    if (made !== 'changed' && made !== 'kept') return giveUp(made);
    saga.pivot();
    saga.tell('Confirmed', `${about}: it is made, and can be taken back by the address of before for a while.`);
    await saga.forward('tell', (act, key) => act.tellOfEmailChange({ requestId, key }), { local: () => true });
    const last = made === 'changed' ? await whenNoMore('changed') : made;
    const ended = last === 'reverting' ? await takeBack() : last;
    await saga.forward('forget', (act, key) => act.forgetAddress({ requestId, key }), { local: () => true });
    saga.tell(ended === 'reverted' ? 'Compensated' : 'Completed', `${about}: ${ended ?? 'settled by an operator'}.`);
    return finish(ended);
  });

  /** How the change stands when it was made or came to nothing; undefined when an operator has given up a step. */
  async function change(): Promise<Standing | undefined> {
    try {
      const confirmed = await beforePivot.run(prepare);
      if (confirmed !== 'confirmed') return confirmed;
      if (beforePivot.consideredCancelled) throw refuse('invalid_state', 'Cancelled by an operator');
    } catch (error) {
      saga.tell(
        'Compensating',
        `${about}: given up (${beforePivot.consideredCancelled ? 'cancelled' : codeOf(error)}).`,
      );
      return 'withdrawn';
    }
    // Recorded, and pursued until it has answered: whoever gave it up would not know which address the account has.
    saga.tell('Running', `${about}: confirmed. Giving the account its new address.`);
    return (await saga.forward('make', (act, key) => act.makeEmailChange({ requestId, key })))?.status;
  }

  async function prepare(): Promise<Standing | undefined> {
    saga.tell('Running', `${about}: sending the link that confirms it.`);
    const first = await look();
    if (first?.status !== 'asked') return first?.status;
    await saga.step('propose', {
      do: (key) => proposeAddress({ requestId, key }),
      undo: (act, key) => act.dropAddress({ requestId, key }),
      local: () => true,
    });
    await saga.step('ask', {
      do: (key) => askToConfirm({ requestId, key }),
      undo: (act, key) => act.withdrawEmailChange({ requestId, key }),
      local: () => true,
    });
    saga.tell('Running', `${about}: waits for its person to use the link that was sent to the new address.`);
    const asked = await whenNoMore('asked');
    if (asked !== 'confirmed') return asked;
    await saga.step('switch', {
      do: (key) => switchAddress({ requestId, key }),
      undo: (act, key) => act.switchAddressBack({ requestId, key }),
      local: () => true,
    });
    return 'confirmed';
  }

  function look() {
    return saga.forward('look', (act) => act.lookAtEmailChange({ requestId }), { local: () => true });
  }

  /** Waits for as long as the change stands so. @returns how it stands then */
  async function whenNoMore(standing: Standing): Promise<Standing | undefined> {
    for (;;) {
      const heard = news;
      const now = await look();
      if (now?.status !== standing) return now?.status;
      const left = now.until === null ? DAY : Date.parse(now.until) - Date.now();
      // Clocks differ, and what a signal should have told is found by looking.
      await condition(() => news > heard, Math.min(Math.max(left, SECOND), DAY));
    }
  }

  async function takeBack(): Promise<Standing | undefined> {
    saga.tell('Compensating', `${about}: taken back by the address of before. Giving the account that one again.`);
    await saga.forward('restore', (act, key) => act.restoreAddress({ requestId, key }));
    return (await saga.forward('take-back', (act, key) => act.takeEmailChangeBack({ requestId, key })))?.status;
  }

  async function giveUp(standing: Standing): Promise<EmailChangeResult> {
    saga.tell('Compensating', `${about}: ${standing}. Leaving the address as it is.`);
    await (await saga.undo())?.done;
    if (standing === 'taken')
      await tellEmailTaken({ requestId, key: `email-change:${requestId}/taken` }).catch(() => undefined);
    saga.tell('Compensated', `${about}: ${standing}. The address is as it was.`);
    return finish(standing);
  }

  /** A workflow that ended with handlers under way would drop them. */
  async function finish(standing: Standing | undefined): Promise<EmailChangeResult> {
    await condition(allHandlersFinished);
    return { outcome: isOutcome(standing) ? standing : 'settled_by_operator' };
  }
}

type Outcome = EmailChangeResult['outcome'];

const OUTCOMES: readonly Outcome[] = ['kept', 'reverted', 'taken', 'replaced', 'expired', 'void', 'withdrawn'];

function isOutcome(standing: string | undefined): standing is Outcome {
  return OUTCOMES.some((outcome) => outcome === standing);
}

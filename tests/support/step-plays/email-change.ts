import { createEmailChangeActivities } from '../../../activities/email-change';
import { undoKeyOf } from '../../../kernel/step-key';
import { askedChange, setStanding } from '../email-changes';
import type { StepPlay } from '../local-steps';

/** Somebody changes their address, and somebody else gives that up, whose address was taken. */
export const play: StepPlay = async (stack, noted) => {
  const { db } = stack.identity.database;
  const act = noted(createEmailChangeActivities(stack.clients));
  for (const outcome of ['made', 'taken']) {
    const { requestId } = await askedChange(db);
    const step = (name: string) => ({ requestId, key: `email-change:${requestId}/${name}` });
    const undo = (name: string) => ({ requestId, key: undoKeyOf(step(name).key) });
    await act.lookAtEmailChange({ requestId });
    await act.proposeAddress(step('propose'));
    await act.askToConfirm(step('ask'));
    await setStanding(db, requestId, 'confirmed');
    await act.switchAddress(step('switch'));
    if (outcome === 'taken') {
      await act.switchAddressBack(undo('switch'));
      await act.withdrawEmailChange(undo('ask'));
      await act.dropAddress(undo('propose'));
      await act.tellEmailTaken(step('taken'));
      continue;
    }
    await act.makeEmailChange(step('make'));
    await act.tellOfEmailChange(step('tell'));
    await act.forgetAddress(step('forget'));
  }
};

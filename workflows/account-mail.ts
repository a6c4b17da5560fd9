import {
  allHandlersFinished,
  CancellationScope,
  condition,
  proxyActivities,
  proxyLocalActivities,
} from '@temporalio/workflow';
import type { AccountMailActivities } from '../activities/account-mail';
import { type AccountMailInput, type AccountMailResult, accountMailSaga } from './account-mail.api';
import { LOCAL_CALL, UNTIL_DONE_DAYLONG } from './activity-options';
import { codeOf } from './failures';
import { localFirst } from './local-first';
import { createSaga } from './saga';

/** What happens to a mail with a link; nothing takes it back. Tests and `docs/sagas/account-mail.md` go by this table. */
export const ACCOUNT_MAIL_STEPS = {
  begin: { does: 'beginAccountMail', undo: null, runs: 'local' },
  mail: { does: 'sendAccountMail', undo: null, runs: 'local' },
} as const;

const locally = proxyLocalActivities<AccountMailActivities>(LOCAL_CALL);
const late = proxyActivities<AccountMailActivities>(UNTIL_DONE_DAYLONG);
const begin = localFirst(locally.beginAccountMail, late.beginAccountMail);
const send = localFirst(locally.sendAccountMail, late.sendAccountMail);

/**
 * A mail with a link, from its request to notification, which delivers it: see `docs/sagas/account-mail.md`. A cancel changes nothing: it is over in
 * a moment, and harmless. Nobody is called when it cannot be sent: its person asks again.
 */
export async function accountMail(input: AccountMailInput): Promise<AccountMailResult> {
  const { requestId } = input;
  const saga = createSaga<AccountMailActivities>();
  const about = `Account mail ${requestId}`;
  const stepOf = (name: keyof typeof ACCOUNT_MAIL_STEPS) => ({
    requestId,
    key: `${accountMailSaga.workflowId(input)}/${name}`,
  });

  return CancellationScope.nonCancellable(async () => {
    saga.tell('Running', `${about}: asking identity what is to be sent.`);
    try {
      const { purpose } = await begin(stepOf('begin'));
      if (purpose === null) return finish('nothing', 'there is nothing to send');
      saga.tell('Running', `${about}: ${purpose}. Waits for the mail to be taken over.`);
      const { sent } = await send(stepOf('mail'));
      return sent ? finish('sent', 'notification has it') : finish('nothing', 'it came too late');
    } catch (error) {
      return finish('given_up', codeOf(error));
    }
  });

  async function finish(outcome: AccountMailResult['outcome'], how: string): Promise<AccountMailResult> {
    saga.tell('Completed', `${about}: ${how}.`);
    // A workflow that ended with handlers under way would drop them.
    await condition(allHandlersFinished);
    return { outcome };
  }
}

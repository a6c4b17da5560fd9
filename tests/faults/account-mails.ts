import { ACCOUNT_MAIL_STEPS } from '../../workflows/account-mail';
import type { Person } from '../support/marketplace';
import type { TestPlatform } from '../support/platform';
import { notice, type Row, type SagaTable, type SagaUnderFaults, toldBy, turns } from './saga-table';

type Ending = 'done' | 'untold';

const step = (name: keyof typeof ACCOUNT_MAIL_STEPS): Row<Ending> => ({
  ...{ step: name, way: 'new password', runs: ACCOUNT_MAIL_STEPS[name].runs, beforePivot: false, cells: notice },
});

export const ACCOUNT_MAILS: SagaTable<Ending> = {
  kind: 'account-mail',
  // Notification's call is what meets the fault; the link is a call of its own before it, and of no effect that lasts.
  rows: [step('begin'), step('mail')],
  truth: (ending, { step: met }) => ({
    links: ending === 'untold' && met === 'begin' ? 0 : 1,
    told: ending === 'untold' ? [] : ['password_reset'],
  }),
  answers: () => [202],
};

/** A person for each play asks for a new password. */
export function accountMails(platform: TestPlatform, nextPerson: () => Person): SagaUnderFaults {
  const inTurn = turns();
  const identity = platform.database('identity');
  return {
    begin: (_, lay) =>
      inTurn(async () => {
        const { id: userId } = nextPerson();
        const [user] = await identity<{ email: string }[]>`select email from users where id = ${userId}`;
        const faults = platform.proxy.next('account-mail');
        lay(faults);
        const asked = platform.ask('POST', '/api/auth/forgot-password', { body: { email: user?.email } });
        const id = await faults.id();
        return { workflowId: `account-mail:${id}`, id, asked };
      }),
    async facts({ id, workflowId }) {
      const [links, told] = await Promise.all([
        identity`
          select from password_resets r join account_mails m on m.user_id = r.user_id
          where m.id = ${id} and r.used_at is null and r.replaced_at is null`,
        toldBy(platform, workflowId),
      ]);
      return { links: links.length, told };
    },
  };
}

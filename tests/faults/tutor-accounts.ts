import { sandboxState } from '../../dev/chaos/stripe-state';
import { TUTOR_ACCOUNT_STEPS } from '../../workflows/tutor-account';
import type { Person } from '../support/marketplace';
import type { TestPlatform } from '../support/platform';
import { forward, type Row, type SagaTable, type SagaUnderFaults, toldBy, turns, undoable } from './saga-table';

type Ending = 'done' | 'undone';

const row = (step: keyof typeof TUTOR_ACCOUNT_STEPS): Row<Ending> => {
  const { undo, runs } = TUTOR_ACCOUNT_STEPS[step];
  const cells = undo === null ? forward : undoable;
  return { step, way: 'student', runs, beforePivot: undo !== null, cells };
};

export const TUTOR_ACCOUNTS: SagaTable<Ending> = {
  kind: 'tutor-account',
  rows: [row('begin'), row('account'), row('profile'), row('role')],
  lastUndone: 'profile',
  truth: (ending) =>
    ending === 'done'
      ? { role: 'tutor', request: 'opened', profiles: 1, atStripe: ['acct', 'cus'], told: [] }
      : { role: 'student', request: 'refused', profiles: 0, atStripe: ['cus'], told: [] },
  answers: (ending) => (ending === 'undone' ? [503, 202] : [200, 202]),
};

/** Students who become tutors, each another one. */
export function tutorAccounts(platform: TestPlatform, nextStudent: () => Person): SagaUnderFaults {
  const inTurn = turns();
  const identity = platform.database('identity');
  return {
    begin: (_, lay) =>
      inTurn(async () => {
        const { id: userId, token } = nextStudent();
        const faults = platform.proxy.next('tutor-account');
        lay(faults);
        const asked = platform.ask('POST', `/api/users/${userId}/tutor-account`, { token });
        const id = await faults.id();
        return { workflowId: `tutor-account:${id}`, id, asked };
      }),
    async facts({ id, workflowId }) {
      const [[user], { customers, accounts }, told] = await Promise.all([
        identity<{ id: string; role: string; request: string }[]>`
          select u.id, u.role, r.status as request from users u join tutor_accounts r on r.user_id = u.id where r.id = ${id}`,
        sandboxState(platform),
        toldBy(platform, workflowId),
      ]);
      const userId = user?.id ?? '';
      const profiles = await platform.database('tutoring')`select from tutor_profiles where id = ${userId}`;
      const ids = [...customers, ...accounts].filter(({ metadata }) => metadata.userId === userId);
      return {
        ...{ role: user?.role, request: user?.request, profiles: profiles.length },
        ...{ atStripe: ids.map((each) => each.id.replace(/_.*/, '')).toSorted(), told },
      };
    },
  };
}

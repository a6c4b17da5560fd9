import { randomBytes } from 'node:crypto';
import { sandboxState } from '../../dev/chaos/stripe-state';
import { USER_CREATION_STEPS } from '../../workflows/user-creation';
import type { TestPlatform } from '../support/platform';
import { forward, notice, type Row, type SagaTable, type SagaUnderFaults, toldBy, turns, undoable } from './saga-table';

type Ending = 'done' | 'undone' | 'untold';
type Way = 'student' | 'tutor';

const prepared = (step: keyof typeof USER_CREATION_STEPS, way: Way): Row<Ending> => ({
  ...{ step, way, beforePivot: true, cells: undoable },
  runs: USER_CREATION_STEPS[step].runs,
});

const BEFORE = { impossible: 'identity has done it before the saga starts' };
const ROWS: Row<Ending>[] = [
  {
    ...prepared('register', 'student'),
    cells: {
      dead: BEFORE,
      deadAndCancelled: BEFORE,
      answerLost: BEFORE,
      hangs: BEFORE,
      hangsAndCancelled: BEFORE,
      refused: BEFORE,
      undoRefused: 'undone',
    },
  },
  prepared('profile', 'student'),
  prepared('account', 'student'), // a customer
  prepared('account', 'tutor'), // a connected account
  prepared('tutor', 'tutor'),
  prepared('preferences', 'student'),
  { step: 'activate', way: 'student', runs: 'recorded', beforePivot: false, cells: forward },
  { step: 'welcome', way: 'student', runs: 'local', beforePivot: false, cells: notice },
];

export const SIGN_UPS: SagaTable<Ending> = {
  kind: 'user',
  rows: ROWS,
  lastUndone: 'preferences',
  truth(ending, { way }) {
    if (ending === 'undone')
      return { user: null, profiles: 0, tutors: 0, preferences: 0, contacts: 0, atStripe: [], told: [] };
    const isTutor = way === 'tutor';
    return {
      ...{ user: 'active', profiles: 1, tutors: isTutor ? 1 : 0, preferences: 1, contacts: 1 },
      atStripe: [isTutor ? 'acct' : 'cus'],
      told: ending === 'untold' ? [] : ['welcome_verify_email'],
    };
  },
  answers: (ending) => (ending === 'undone' ? [503, 202] : [201, 202]),
};

/** People who sign up, each somebody new; `people` is told of them. */
export function signUps(
  platform: TestPlatform,
  people: { email: string; firstName: string; lastName: string }[],
): SagaUnderFaults {
  const inTurn = turns();
  return {
    begin: ({ way }, lay) =>
      inTurn(async () => {
        const mark = randomBytes(5).toString('hex');
        const person = { firstName: `Fn${mark}`, lastName: `Ln${mark}`, email: `${mark}@person.example` };
        people.push(person);
        const faults = platform.proxy.next('user');
        lay(faults);
        const body = { ...person, password: 'correct horse battery staple', role: way, timeZone: 'UTC' };
        const asked = platform.ask('POST', '/api/auth/register', { body });
        const id = await faults.id();
        return { workflowId: `user:${id}`, id, asked };
      }),
    async facts({ id, workflowId }) {
      const identity = platform.database('identity');
      const [[user], profiles, tutors, preferences, contacts, { customers, accounts }, told] = await Promise.all([
        identity<{ status: string }[]>`select status from users where id = ${id}`,
        identity`select 1 from user_profiles where user_id = ${id}`,
        platform.database('tutoring')`select 1 from tutor_profiles where id = ${id}`,
        platform.database('notification')`select 1 from notification_preferences where user_id = ${id}`,
        platform.database('notification')`select 1 from contacts where user_id = ${id}`,
        sandboxState(platform),
        toldBy(platform, workflowId),
      ]);
      const ids = [...customers, ...accounts].filter(({ metadata }) => metadata.userId === id);
      return {
        user: user?.status ?? null,
        profiles: profiles.length,
        tutors: tutors.length,
        preferences: preferences.length,
        contacts: contacts.length,
        atStripe: ids.map((each) => each.id.replace(/_.*/, '')),
        told,
      };
    },
  };
}

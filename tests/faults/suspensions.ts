import { SECOND } from '../../kernel/time';
import { SUSPENSION_STEPS } from '../../workflows/suspension';
import type { Marketplace, Person } from '../support/marketplace';
import type { TestPlatform } from '../support/platform';
import { administrator } from '../support/second-factor';
import { forward, type Row, type SagaTable, type SagaUnderFaults, toldBy, turns } from './saga-table';

type Ending = 'done';
type Way = 'with a request' | 'without';

const row = (step: keyof typeof SUSPENSION_STEPS, way: Way = 'without', call?: string): Row<Ending> => ({
  ...{ step, way, beforePivot: false, cells: forward, runs: SUSPENSION_STEPS[step].runs },
  ...(call && { call }),
});

export const SUSPENSIONS: SagaTable<Ending> = {
  kind: 'suspension',
  rows: [
    ...[row('look'), row('unlist'), row('freeze'), row('withdraw', 'with a request', 'withdraw/')],
    ...[row('reinstate'), row('thaw'), row('relist')],
  ],
  truth: (_, { way }) => ({
    ...{ status: 'active', ended: true, unlisted: 0, frozen: 0, told: [] },
    bookings: way === 'with a request' ? ['cancelled/declined'] : [],
  }),
  answers: () => [200],
};

/** Tutors who are kept out for some seconds, each another one. */
export function suspensions(
  platform: TestPlatform,
  market: Marketplace,
  { student, nextPayee }: { student: Person; nextPayee: () => Person },
): SagaUnderFaults {
  const inTurn = turns();
  let admin: Promise<string> | undefined;

  async function signedIn(): Promise<string> {
    const { email } = await market.student();
    const { password } = market;
    return (await administrator(platform, platform.database('identity'), { email, password })).token;
  }

  /** A tutor for whom a request waits. */
  async function asked(): Promise<Person> {
    const tutor = await market.tutor({ instant: false });
    expect((await market.book({ student, tutor })).status).toBe(201);
    return tutor;
  }

  return {
    begin: ({ way }, lay) =>
      inTurn(async () => {
        admin ??= signedIn();
        const token = await admin;
        const who = way === 'with a request' ? await asked() : nextPayee();
        const faults = platform.proxy.next('suspension');
        lay(faults);
        const answered = platform.ask('POST', `/api/users/${who.id}/suspend`, {
          token,
          body: { reason: 'Played against faults', until: new Date(Date.now() + 5 * SECOND).toISOString() },
        });
        const id = await faults.id();
        return { workflowId: `suspension:${id}`, id, asked: answered };
      }),
    async facts({ id, workflowId }) {
      const [kept] = await platform.database('identity')<{ id: string; status: string; ended: boolean }[]>`
        select u.id, u.status, s.ended_at is not null as ended
        from suspensions s join users u on u.id = s.user_id where s.id = ${id}`;
      const userId = kept?.id ?? '';
      const [unlisted, frozen, bookings, told] = await Promise.all([
        platform.database('tutoring')`
          select from tutor_profiles where id = ${userId} and suspended_by is not null`,
        platform.database('payment')`select from payees where user_id = ${userId} and frozen_by is not null`,
        platform.database('booking')<{ said: string }[]>`
          select status || '/' || status_reason as said from bookings where tutor_id = ${userId}`,
        toldBy(platform, workflowId),
      ]);
      return {
        ...{ status: kept?.status, ended: kept?.ended, unlisted: unlisted.length, frozen: frozen.length, told },
        bookings: bookings.map(({ said }) => said),
      };
    },
  };
}

import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { hashToken, randomToken } from '../../services/identity/secrets';
import { EMAIL_CHANGE_STEPS } from '../../workflows/email-change';
import type { Person } from '../support/marketplace';
import type { TestPlatform } from '../support/platform';
import { forward, notice, type Row, type SagaTable, type SagaUnderFaults, toldBy, turns, undoable } from './saga-table';

type Ending = 'done' | 'undone' | 'untold';
/** `unproven`: of an address that nobody has proven, which cannot be changed back, so that the saga ends at once. */
type Way = 'unproven' | 'taken' | 'reverted';

const row = (
  step: keyof typeof EMAIL_CHANGE_STEPS,
  way: Way,
  cells: Row<Ending>['cells'],
  beforePivot = false,
): Row<Ending> => ({ step, way, runs: EMAIL_CHANGE_STEPS[step].runs, beforePivot, cells });

const ASKED = ['email_change_asked', 'email_change_confirm'];

export const EMAIL_CHANGES: SagaTable<Ending> = {
  kind: 'email-change',
  rows: [
    // What has been looked at goes on, unless an operator has called it off by then.
    row('look', 'unproven', { ...forward, deadAndCancelled: 'undone', hangsAndCancelled: 'undone' }),
    row('propose', 'unproven', undoable, true),
    row('ask', 'unproven', undoable, true),
    row('switch', 'unproven', undoable, true),
    row('make', 'unproven', forward),
    row('tell', 'unproven', forward),
    row('forget', 'unproven', forward),
    row('taken', 'taken', notice),
    row('restore', 'reverted', forward),
    row('take-back', 'reverted', forward),
  ],
  lastUndone: 'switch',
  truth(ending, { way }) {
    const before = { account: 'before', contact: 'before', proposals: 0 };
    if (ending === 'undone')
      return {
        ...{ ...before, addresses: ['before'] },
        status: expect.stringMatching(/^(asked|withdrawn)$/),
        told: expect.not.arrayContaining(['email_changed']),
      };
    if (way === 'unproven')
      return {
        ...{ account: 'new', contact: 'new', proposals: 0, addresses: ['new'], status: 'kept' },
        told: [...ASKED, 'email_changed'],
      };
    if (way === 'reverted')
      return {
        ...{ ...before, addresses: ['before'], status: 'reverted' },
        told: [...ASKED, 'email_changed', 'email_changed_revert'],
      };
    const told = ending === 'untold' ? ASKED : [...ASKED, 'email_change_taken'];
    return { ...before, addresses: ['before'], status: 'taken', told };
  },
  answers: () => [202],
};

/** A person for each play asks for another address, and uses the links that are sent; `people` is told of whoever takes one. */
export function emailChanges(
  platform: TestPlatform,
  nextPerson: () => Person,
  { people, password }: { people: { email: string; firstName: string; lastName: string }[]; password: string },
): SagaUnderFaults {
  const inTurn = turns();
  const identity = platform.database('identity');
  const isOver = (status: unknown) => status !== 'asked' && status !== 'changed' && status !== 'confirmed';

  /** Uses the link of a mail once it is made: its token is replaced by one that is known here, because only its hash is stored. */
  async function use(id: string, link: 'confirm' | 'revert'): Promise<void> {
    for (;;) {
      const token = randomToken();
      const column = identity(`${link}_hash`);
      const [used] = await identity`
        update email_changes set ${column} = ${hashToken(token)} where id = ${id} and ${column} is not null returning id`;
      if (used) {
        await platform.ask('POST', `/api/auth/email-change/${link}`, { body: { token } });
        return;
      }
      const [change] = await identity`select status from email_changes where id = ${id}`;
      if (isOver(change?.status)) return;
      await pause(100);
    }
  }

  async function useLinks(id: string, way: string, email: string): Promise<void> {
    if (way === 'taken') {
      const somebody = { firstName: `Fn${email.slice(0, 10)}`, lastName: `Ln${email.slice(0, 10)}`, email };
      people.push(somebody);
      const body = { ...somebody, password, role: 'student', timeZone: 'UTC' };
      await platform.ask('POST', '/api/auth/register', { body });
    }
    await use(id, 'confirm');
    if (way === 'reverted') await use(id, 'revert');
  }

  return {
    begin: ({ way }, lay) =>
      inTurn(async () => {
        const { id: userId, token } = nextPerson();
        if (way !== 'unproven') await identity`update users set email_verified_at = now() where id = ${userId}`;
        const email = `${randomBytes(5).toString('hex')}@person.example`;
        people.push({ firstName: `Fn${email}`, lastName: `Ln${email}`, email });
        const faults = platform.proxy.next('email-change');
        lay(faults);
        const body = { email, password };
        const asked = platform.ask('POST', `/api/users/${userId}/change-email`, { token, body });
        const id = await faults.id();
        // One that is given up is used by nobody.
        useLinks(id, way, email).catch(() => undefined);
        return { workflowId: `email-change:${id}`, id, asked };
      }),
    async facts({ id, workflowId }) {
      const [change] = await identity`select * from email_changes where id = ${id}`;
      const named = (address: unknown) =>
        address === change?.to_email ? 'new' : address === change?.from_email ? 'before' : address;
      const userId = String(change?.user_id);
      const [[account], addresses, [contact], proposals, told] = await Promise.all([
        identity`select email from users where id = ${userId}`,
        identity`select address from email_addresses where user_id = ${userId}`,
        platform.database('notification')`select email from contacts where user_id = ${userId}`,
        platform.database('notification')`select from address_changes where request_id = ${id}`,
        toldBy(platform, workflowId),
      ]);
      return {
        account: named(account?.email),
        contact: named(contact?.email),
        addresses: addresses.map(({ address }) => named(address)),
        proposals: proposals.length,
        status: change?.status,
        told,
      };
    },
  };
}

import { ProblemError } from '../kernel/errors';
import { uuidv7 } from '../platform/ids';
import { startStandIns } from '../tests/support/stand-ins';
import { createSuspensionActivities } from './suspension';

let standIns: Awaited<ReturnType<typeof startStandIns>>;
beforeAll(async () => {
  standIns = await startStandIns();
});
beforeEach(() => void standIns.calls.splice(0));
afterAll(() => standIns.close());

const [suspensionId, userId] = [uuidv7(), uuidv7()];
const step = (name: string) => ({ suspensionId, userId, key: `suspension:${suspensionId}/${name}` });

test('each step goes to the service that has what is taken or given back', async () => {
  standIns.answers.internalLookAtSuspension = { tutor: true, until: null, over: false };
  const act = createSuspensionActivities(standIns.clients);
  expect(await act.lookAtSuspension(step('look'))).toEqual({ tutor: true, until: null, over: false });
  await act.unlistTutor(step('unlist'));
  await act.freezePayouts(step('freeze'));
  await act.reinstateUser(step('reinstate'));
  await act.thawPayouts(step('thaw'));
  await act.relistTutor(step('relist'));
  expect(standIns.calls.map(({ path, key, body }) => [path, key, body])).toEqual([
    [`/internal/suspensions/${suspensionId}/look`, step('look').key, undefined],
    [`/internal/tutors/${userId}/unlist`, step('unlist').key, { suspensionId }],
    [`/internal/payees/${userId}/freeze`, step('freeze').key, { suspensionId }],
    [`/internal/suspensions/${suspensionId}/end`, step('reinstate').key, undefined],
    [`/internal/payees/${userId}/thaw`, step('thaw').key, { suspensionId }],
    [`/internal/tutors/${userId}/relist`, step('relist').key, { suspensionId }],
  ]);
});

describe('sessions', () => {
  const withdraw = [{ id: uuidv7(), by: 'decline' }];
  /** Answers with these, one after another, and then with the last one again. */
  function looks(...answers: unknown[]): void {
    let count = 0;
    Object.defineProperty(standIns.answers, 'internalOpenSessions', {
      configurable: true,
      enumerable: true,
      get: () => answers[Math.min(count++, answers.length - 1)],
    });
  }
  const act = () => createSuspensionActivities(standIns.clients).withdrawSessions(step('withdraw'));
  const withdrawn = () => standIns.calls.filter(({ operation }) => operation === 'internalWithdrawBooking');

  test('are withdrawn until nothing is left of them, and of the rest twenty are named', async () => {
    const ask = Array.from({ length: 25 }, uuidv7);
    looks({ withdraw, ask }, { withdraw: [], ask });
    expect(await act()).toEqual({ count: 25, ask: ask.slice(0, 20) });
    expect(withdrawn()).toMatchObject([{ key: `${step('withdraw').key}/${withdraw[0]?.id}`, body: { by: 'decline' } }]);
  });

  test('that change in that moment are looked at again', async () => {
    standIns.answers.internalWithdrawBooking = new ProblemError('invalid_state');
    looks({ withdraw, ask: [] }, { withdraw: [], ask: [] });
    expect(await act()).toEqual({ count: 0, ask: [] });
    looks({ withdraw, ask: [] });
    await expect(act()).rejects.toMatchObject({ code: 'upstream_unavailable' });
    delete standIns.answers.internalWithdrawBooking;
  });

  test('whose service is away are withdrawn later', async () => {
    standIns.answers.internalWithdrawBooking = new ProblemError('upstream_unavailable');
    looks({ withdraw, ask: [] });
    await expect(act()).rejects.toMatchObject({ code: 'upstream_unavailable' });
    expect(withdrawn()).toHaveLength(1);
    delete standIns.answers.internalWithdrawBooking;
  });
});
